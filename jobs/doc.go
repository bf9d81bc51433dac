// Package jobs is what a run is: plan, work, commit. There is one file for each kind of job ([Map]) and for
// each thing to do with a table ([Verify], [Inspect]).
//
// # A run
//
// A job looks for an unfinished run of its own kind, settings and inputs in the table and continues it;
// otherwise it plans a new one: it looks into every input, finds out how to read it and which columns hold
// what, and stores that as the run's plan. Then it works: the pipeline reads, asks and writes parts, and each
// sealed part becomes a link of the run's chain, with a cursor and counts. When everything is read, the counts
// of the chain must add up, for each input and in all, and the manifest makes the run visible. A process may be
// killed at any point of this: the next one finds the plan and the chain, and goes on behind the last link.
//
// The state itself is kept by [mapper/jobs/table].
//
// # Errors
//
// A [UsageError] is a job that has to be said differently. A *[client.Error] comes from the service and says
// whether credentials, the service itself or a broken promise are at fault. [pipeline.TooManyInvalidError],
// [table.ErrHeld], [table.ErrOtherTable] and [ErrDamaged] say what they say; context.Canceled means that the
// run was interrupted in good order and can be continued. Errors name places (file and line), never values.
package jobs
