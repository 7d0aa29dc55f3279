/*
 * course.c
 *	  Expected purchases of many customers, the costly part computed once for
 *	  all who are alike.
 *
 * A model without memory says of a customer who is alive nothing that depends
 * on when he bought last: with x purchases in T,
 *
 *		E[purchases | x, t_x, T] = P(alive | x, t_x, T) g(x, T)
 *
 * g is a series or an integral, P(alive) a few logarithms.  A million
 * customers have some ten thousand (x, T), since T is days, so a small cache
 * of g answers nearly all.  g is always taken from the customer who bought
 * just now: what a call returns does not depend on the calls before it.
 */
#include "postgres.h"

#include "compat.h"

#include <math.h>

#include "utils/memutils.h"

#include "clv/course.h"

#define FIRST_SLOTS 64
#define MOST_SLOTS	(UINT32_C(1) << 18)

typedef struct Course
{
	double		x;
	double		T;
	double		horizon;
	double		discount;
	double		g;				/* or NaN: an empty slot */
} Course;

/* A hash table, at most half full. */
struct CourseCache
{
	uint32		slots;			/* a power of two */
	uint32		used;
	Course		course[FLEXIBLE_ARRAY_MEMBER];
};

static CourseCache *
cache_create(MemoryContext context, uint32 slots)
{
	CourseCache *cache =
		MemoryContextAllocHuge(context, offsetof(CourseCache, course) + slots * sizeof(Course));

	cache->slots = slots;
	cache->used = 0;
	for (uint32 i = 0; i < slots; i++)
		cache->course[i].g = NAN;
	return cache;
}

static inline uint64
mix(uint64 hash, double value)
{
	uint64		bits;

	memcpy(&bits, &value, sizeof(bits));
	hash = (hash ^ bits) * UINT64CONST(0x9E3779B97F4A7C15);
	return hash ^ (hash >> 32);
}

/* The slot of a course, or the empty one where it belongs. */
static Course *
cache_find(CourseCache *cache, double discount, double horizon, const ClvRow *row)
{
	uint32		at = mix(mix(0, row->x), row->T) & (cache->slots - 1);

	for (;; at = (at + 1) & (cache->slots - 1))
	{
		Course	   *course = &cache->course[at];

		if (isnan(course->g) ||
			(course->x == row->x && course->T == row->T && course->horizon == horizon &&
			 course->discount == discount))
			return course;
	}
}

static CourseCache *
cache_grow(CourseCache *cache, MemoryContext context)
{
	CourseCache *larger = cache_create(context, cache->slots * 4);

	for (uint32 i = 0; i < cache->slots; i++)
	{
		const Course *course = &cache->course[i];
		ClvRow		row = {0};

		if (isnan(course->g))
			continue;
		row.x = course->x;
		row.T = course->T;
		*cache_find(larger, course->discount, course->horizon, &row) = *course;
	}
	larger->used = cache->used;
	pfree(cache);
	return larger;
}

static double
get_purchases(const ClvParams *p, double discount, double horizon, const ClvRow *row)
{
	return discount == 0 ? p->model->expected_purchases(p, horizon, row)
		: p->model->discounted_purchases(p, discount, horizon, row);
}

/*
 * E[purchases in (T, T + horizon], each worth exp(-discount * time)].  *cache
 * is NULL at first and belongs to one model; it is made in `context`.
 */
double
course_purchases(CourseCache **cache, MemoryContext context, const ClvParams *p,
				 double discount, double horizon, const ClvRow *row)
{
	Course	   *course;
	double		g;

	if (!is_memoryless(p->model))
		return get_purchases(p, discount, horizon, row);

	if (*cache == NULL)
		*cache = cache_create(context, FIRST_SLOTS);
	course = cache_find(*cache, discount, horizon, row);
	g = course->g;
	if (isnan(g))
	{
		ClvRow		now = bought_now(row);

		g = get_purchases(p, discount, horizon, &now) / p->model->p_alive(p, 0, &now);
		/* a full cache keeps what it has */
		if ((*cache)->used < (*cache)->slots / 2)
		{
			course->x = row->x;
			course->T = row->T;
			course->horizon = horizon;
			course->discount = discount;
			course->g = g;
			if (++(*cache)->used == (*cache)->slots / 2 && (*cache)->slots < MOST_SLOTS)
				*cache = cache_grow(*cache, context);
		}
	}
	/* infinite, or something that only the customer himself can tell */
	if (!isfinite(g))
		return get_purchases(p, discount, horizon, row);
	return p->model->p_alive(p, 0, row) * g;
}
