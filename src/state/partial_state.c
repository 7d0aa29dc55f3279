/*
 * partial_state.c
 *	  The type partial_state: what the aggregates over everyone keep, as a value.
 *
 * The text is base64 of the stored form without its length; the binary form is
 * these bytes as they are.  Reading one checks its version and its kind; what
 * the kind has written is checked when an aggregate reads it.
 */
#include "postgres.h"

#include "compat.h"

#include "fmgr.h"

#include "common/base64.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "state/partial_state.h"

PG_FUNCTION_INFO_V1(partial_state_in);
PG_FUNCTION_INFO_V1(partial_state_out);
PG_FUNCTION_INFO_V1(partial_state_recv);
PG_FUNCTION_INFO_V1(partial_state_send);

#define PARTIAL_STATE_VERSION 1

/* As it is stored: version, tag, and what the kind has written. */
#define PARTIAL_STATE_HEADER 2

/* The name of the memory context of states. */
#define STATE_CONTEXT "customer_tier partial states"

/* Whose states are of a kind. */
static const char *const aggregates[PARTIAL_STATE_TAGS] = {
	[PARTIAL_STATE_CUTS] = "quantile_cuts, balanced_cuts or natural_cuts",
	[PARTIAL_STATE_MEAN] = "mean_cut",
	[PARTIAL_STATE_FIT] = "clv_fit, clv_fit_pooled, spend_fit or retention_fit",
	[PARTIAL_STATE_POPULATION] = "percentile_scale, scale_stats or gini_concentration",
	[PARTIAL_STATE_RANGE] = "value_range",
	[PARTIAL_STATE_DEVIATION] = "mean_deviation",
	[PARTIAL_STATE_DISTRIBUTIONS] = "dimension_distributions",
	[PARTIAL_STATE_CRITERIA] = "entropy_weights, critic_weights, topsis_scale or ahp_group",
	[PARTIAL_STATE_OUTCOMES] = "woe_bins, auc, ks or gini",
	[PARTIAL_STATE_LOGIT] = "logit_fit",
	[PARTIAL_STATE_BIN_COUNTS] = "bin_counts"
};

static Size get_flat_size(ExpandedObjectHeader *header);
static void flatten_into(ExpandedObjectHeader *header, void *result, Size size);

static const ExpandedObjectMethods partial_state_methods = {get_flat_size, flatten_into};

/* ---------- errors ---------- */

void
report_bad_partial_state(const char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					errmsg("malformed partial state of an aggregate"),
					errdetail_internal("%s", detail)));
}

void
report_other_partial_state(const char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
					errmsg("the partial state is one of another aggregate"),
					errdetail_internal("%s", detail)));
}

/* Why bytes do not begin as those of a state do, or NULL if they do. */
static const char *
find_bad_header(const void *data, int length)
{
	const uint8 *bytes = data;

	if (length < PARTIAL_STATE_HEADER)
		return "It is cut off.";
	if (bytes[0] != PARTIAL_STATE_VERSION)
		return "Its version is unknown.";
	if (bytes[1] >= PARTIAL_STATE_TAGS || aggregates[bytes[1]] == NULL)
		return "It is of no known aggregate.";
	return NULL;
}

static void
check_header(const void *data, int length)
{
	const char *bad = find_bad_header(data, length);

	if (bad != NULL)
		report_bad_partial_state(bad);
}

static void
check_kind(const PartialStateKind *kind, PartialStateTag tag)
{
	if (tag != kind->tag)
		report_other_partial_state(psprintf("It is one of %s, and not of %s.", aggregates[tag],
											aggregates[kind->tag]));
}

/* ---------- in memory ---------- */

/*
 * The executor keeps a state as it is when its memory context is a child of the
 * aggregate's own.  All states of an aggregate's groups share one: PostgreSQL
 * adds up all contexts below a hash table with every group it makes.  Deleting
 * one state would delete them all, but that is what happens to a state that its
 * transition function replaces by another, which ours never do.
 */
static MemoryContext
get_state_context(FunctionCallInfo fcinfo)
{
	MemoryContext context = get_aggregate_context(fcinfo);

	for (MemoryContext child = context->firstchild; child != NULL; child = child->nextchild)
		if (child->name != NULL && strcmp(child->name, STATE_CONTEXT) == 0)
			return child;
	return AllocSetContextCreate(context, STATE_CONTEXT, ALLOCSET_START_SMALL_SIZES);
}

PartialState *
partial_state_create(FunctionCallInfo fcinfo, const PartialStateKind *kind)
{
	MemoryContext context = get_state_context(fcinfo);
	PartialState *partial = MemoryContextAllocZero(context, sizeof(PartialState));

	EOH_init_header(&partial->header, &partial_state_methods, context);
	partial->kind = kind;
	return partial;
}

/* Write the state, to know how much that is; kept for flatten_into(). */
static Size
get_flat_size(ExpandedObjectHeader *header)
{
	PartialState *partial = (PartialState *) header;
	MemoryContext old = MemoryContextSwitchTo(header->eoh_context);

	if (partial->bytes.data != NULL)
		pfree(partial->bytes.data);
	pq_begintypsend(&partial->bytes);
	pq_sendbyte(&partial->bytes, PARTIAL_STATE_VERSION);
	pq_sendbyte(&partial->bytes, partial->kind->tag);
	partial->kind->serialize(&partial->bytes, partial->state);
	MemoryContextSwitchTo(old);
	return partial->bytes.len;
}

static void
flatten_into(ExpandedObjectHeader *header, void *result, Size size)
{
	PartialState *partial = (PartialState *) header;

	Assert(partial->bytes.data != NULL && size == (Size) partial->bytes.len);
	memcpy(result, partial->bytes.data, size);
	SET_VARSIZE(result, size);
	pfree(partial->bytes.data);
	partial->bytes.data = NULL;
}

/* What a stored state says, in the current memory context. */
static void *
deserialize(const PartialStateKind *kind, struct varlena *flat)
{
	StringInfoData buf;
	void	   *state;

	/* read in place: the functions of pqformat.h do not write */
	buf.data = VARDATA_ANY(flat);
	buf.len = buf.maxlen = VARSIZE_ANY_EXHDR(flat);
	buf.cursor = PARTIAL_STATE_HEADER;
	check_header(buf.data, buf.len);
	check_kind(kind, (PartialStateTag) (uint8) buf.data[1]);
	state = kind->deserialize(&buf);
	pq_getmsgend(&buf);
	return state;
}

/*
 * A copy of a state for an aggregate to go on with: one that came from another
 * process, from a table, or from an aggregate beside this.
 */
static PartialState *
copy_argument(FunctionCallInfo fcinfo, int argument, const PartialStateKind *kind)
{
	PartialState *partial = partial_state_create(fcinfo, kind);
	struct varlena *flat = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(argument));
	MemoryContext old = MemoryContextSwitchTo(partial->header.eoh_context);

	partial->state = deserialize(kind, flat);
	MemoryContextSwitchTo(old);
	return partial;
}

/* The state of a transition function, when it is not one that it made itself. */
PartialState *
partial_state_find(FunctionCallInfo fcinfo, const PartialStateKind *kind)
{
	get_aggregate_context(fcinfo);
	return PG_ARGISNULL(0) ? NULL : copy_argument(fcinfo, 0, kind);
}

/* The state in an argument, to be read; NULL if there is none. */
static void *
read_argument(FunctionCallInfo fcinfo, int argument, const PartialStateKind *kind)
{
	PartialState *partial;

	if (PG_ARGISNULL(argument))
		return NULL;
	if (!VARATT_IS_EXTERNAL_EXPANDED((struct varlena *) PG_GETARG_POINTER(argument)))
		return deserialize(kind, PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(argument)));
	partial = (PartialState *) DatumGetEOHP(PG_GETARG_DATUM(argument));
	check_kind(kind, partial->kind->tag);
	return partial->state;
}

/* The state of a final function, or of one that reads a stored state; NULL if there is none. */
void *
partial_state_read(FunctionCallInfo fcinfo, const PartialStateKind *kind)
{
	return read_argument(fcinfo, 0, kind);
}

/* All of a combine function. */
Datum
partial_state_combine(FunctionCallInfo fcinfo, const PartialStateKind *kind)
{
	PartialState *partial = partial_state_update(fcinfo, kind);

	if (PG_ARGISNULL(1))
		PG_RETURN_PARTIAL_STATE(partial);
	if (partial == NULL)
		partial = copy_argument(fcinfo, 1, kind);
	else
		kind->combine(partial->state, read_argument(fcinfo, 1, kind));
	PG_RETURN_PARTIAL_STATE(partial);
}

/* ---------- counts ---------- */

int64
partial_state_get_count(StringInfo buf)
{
	int64		count = pq_getmsgint64(buf);

	if (count < 0 || count > PARTIAL_STATE_COUNT_MAX)
		report_bad_partial_state("A count of it is out of range.");
	return count;
}

void
partial_state_add_count(int64 *count, int64 more)
{
	if (*count > PARTIAL_STATE_COUNT_MAX - more)
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("too many rows in one group")));
	*count += more;
}

/* ---------- text and binary ---------- */

Datum
partial_state_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	int			length = (int) strlen(text);
	int			room = length / 4 * 3 + 3;
	struct varlena *result = palloc(VARHDRSZ + room);
	void	   *bytes = VARDATA(result);
	int			decoded = pg_b64_decode(text, length, bytes, room);
	const char *bad = decoded < 0 ? "It is not base64." : find_bad_header(bytes, decoded);

	if (bad != NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type partial_state: \"%.*s\"%s",
						pg_mbcliplen(text, length, 60), text, length > 60 ? "..." : ""),
				 errdetail_internal("%s", bad)));
	SET_VARSIZE(result, VARHDRSZ + decoded);
	PG_RETURN_POINTER(result);
}

Datum
partial_state_out(PG_FUNCTION_ARGS)
{
	struct varlena *state = PG_GETARG_VARLENA_PP(0);
	const void *bytes = VARDATA_ANY(state);
	int			length = (int) VARSIZE_ANY_EXHDR(state);
	Size		room = ((Size) length + 2) / 3 * 4;
	char	   *text;

	if (room >= MaxAllocSize)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("a partial state of %d bytes is too large to be written as text",
							   length)));
	text = palloc(room + 1);
	if (pg_b64_encode(bytes, length, text, (int) room) != (int) room)
		elog(ERROR, "a partial state was not encoded as a whole");
	text[room] = '\0';
	PG_RETURN_CSTRING(text);
}

Datum
partial_state_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			length = buf->len - buf->cursor;
	const char *bytes = pq_getmsgbytes(buf, length);
	struct varlena *result;

	check_header(bytes, length);
	result = palloc(VARHDRSZ + length);
	SET_VARSIZE(result, VARHDRSZ + length);
	memcpy(VARDATA(result), bytes, length);
	PG_RETURN_POINTER(result);
}

Datum
partial_state_send(PG_FUNCTION_ARGS)
{
	struct varlena *state = PG_GETARG_VARLENA_PP(0);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbytes(&buf, VARDATA_ANY(state), (int) VARSIZE_ANY_EXHDR(state));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}
