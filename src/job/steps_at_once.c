/*
 * steps_at_once.c
 *	  How many steps of a run may be under way at once.
 *
 * No more than performance.concurrency, as each has a request in flight; than
 * memoryLimit has memory for; and than there are steps of which none waits for another.
 */
#include "postgres.h"

#include "job/definition.h"

/* Chains that cover all steps: each step comes before the next one of its chain. */
typedef struct Chains
{
	const List *steps;
	int		   *previous;		/* of each step: the one before it in its chain, or -1 */
	bool	   *seen;			/* while a next one is looked for */
} Chains;

static int	most_independent(const List *steps);
static bool find_next(Chains *chains, int step);

int
job_steps_at_once(const Job *job)
{
	int			n = Min(job->concurrency, most_independent(job->steps));

	if (job->memory_limit > 0)
		n = Min(n, job->memory_limit / MIN_MEMORY_LIMIT);
	return Max(n, 1);
}

/*
 * The most steps of which none depends on another: as many as the fewest chains
 * that cover all of them (Dilworth's theorem), which a matching of greatest size gives.
 */
static int
most_independent(const List *steps)
{
	int			n = list_length(steps);
	int			independent = n;
	Chains		chains = {steps, palloc(sizeof(int) * n), palloc(sizeof(bool) * n)};

	for (int i = 0; i < n; i++)
		chains.previous[i] = -1;
	for (int i = 0; i < n; i++)
	{
		memset(chains.seen, 0, sizeof(bool) * n);
		if (find_next(&chains, i))
			independent--;
	}
	pfree(chains.previous);
	pfree(chains.seen);
	return independent;
}

/* Gives the step one that is behind it, where need be one that another step had, which then takes another. */
static bool
find_next(Chains *chains, int step)
{
	for (int later = step + 1; later < list_length(chains->steps); later++)
	{
		const JobStep *candidate = list_nth(chains->steps, later);

		if (chains->seen[later] || !list_member_ptr(candidate->parents, list_nth(chains->steps, step)))
			continue;
		chains->seen[later] = true;
		if (chains->previous[later] < 0 || find_next(chains, chains->previous[later]))
		{
			chains->previous[later] = step;
			return true;
		}
	}
	return false;
}
