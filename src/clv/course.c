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
#define MOST_SLOTS	262144

typedef struct Course
{
	double		x;
	double		T;
	double		horizon;
	double		discount;
	double		g;
	bool		filled;
} Course;

struct CourseCache
{
	uint32		slots;			/* a power of two */
	uint32		misses;			/* since it was made */
	Course		course[FLEXIBLE_ARRAY_MEMBER];
};

static CourseCache *
cache_create(MemoryContext context, uint32 slots)
{
	CourseCache *cache =
		MemoryContextAllocZero(context, offsetof(CourseCache, course) + slots * sizeof(Course));

	cache->slots = slots;
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

	if (!is_memoryless(p->model))
		return get_purchases(p, discount, horizon, row);

	if (*cache == NULL)
		*cache = cache_create(context, FIRST_SLOTS);
	else if ((*cache)->misses > (*cache)->slots && (*cache)->slots < MOST_SLOTS)
	{
		uint32		slots = (*cache)->slots * 4;

		pfree(*cache);
		*cache = NULL;
		*cache = cache_create(context, slots);
	}
	course = &(*cache)->course[mix(mix(0, row->x), row->T) & ((*cache)->slots - 1)];
	if (!course->filled || course->x != row->x || course->T != row->T ||
		course->horizon != horizon || course->discount != discount)
	{
		ClvRow		now = bought_now(row);

		(*cache)->misses++;
		course->filled = false;
		course->g = get_purchases(p, discount, horizon, &now) / p->model->p_alive(p, 0, &now);
		course->x = row->x;
		course->T = row->T;
		course->horizon = horizon;
		course->discount = discount;
		course->filled = true;
	}
	/* infinite, or something that only the customer himself can tell */
	if (!isfinite(course->g))
		return get_purchases(p, discount, horizon, row);
	return p->model->p_alive(p, 0, row) * course->g;
}
