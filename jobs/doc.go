// Package jobs is what a run is: plan, work, commit. There is one file for each kind of job ([Map], [Remap], [Signals],
// [Compact], [Forget]) and for each thing to do with a table ([Verify], [Inspect], [Clean], [Export], [Diff]). A [Doctor], or
// for ID5 an [ID5Doctor], finds out why a job would fail.
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
// # Kinds
//
// All kinds of runs are one job, one plan, one chain and one pipeline, and differ in what is read and compared (kind in
// job.go). A map or signals run reads inputs. An incremental map sorts what it has read, and goes through it beside the
// view of the table, which says what is to be asked, told or withheld. A remap reads no input: what it takes up is what is
// due in the view. Compact and forget ask nobody: they tell again what the view says. All of these are a
// [pipeline.Merge], whose tasks come in an order that depends on the inputs and on the runs in the plan's base alone, so that
// a run that is continued finds its place by counting.
//
// # Shards
//
// N processes may work on one run, each on a [Shard]. The plan deals the inputs to them, files and row groups of Parquet,
// so that all have about the same to read; each has a chain and a lease of its own. Whoever finds at its end that all
// chains are finished adds them up and commits; that more than one may find so does no harm, since a manifest is created
// once. So shards may run in any order, and again, and what a service allows is divided among them in advance.
//
// The state itself is kept by [mapper/jobs/table].
//
// # Job files
//
// A [File] is a job in YAML, which [ReadFile] reads and [File.Map] turns into a job. Flags and files are parsed by the
// same functions ([ParseFormat], [ParseSize], ...) and checked by the same job, so that one means what the other
// means, and both have the same identity: a file continues what flags began. An error about one setting knows which
// it is, so that it can be said with the line in the file. Messages show values as they stand in the file, never
// what ${VAR} or ${file:/path} expand to, and nothing of a credential. job.schema.json is the same for editors.
//
// # Columns
//
// When the user names no column, those with identifiers are found: the name of a column is split into words, which
// are looked up in many languages, and its sampled values are tried. [ColumnFound] says how both make a
// confidence. Words about an identifier (verified, type, opt-in) count against the name; values can outweigh that,
// as in verified_email. One column of emails and one of phones is read: raw ones rather than hashes of the same
// people, full ones rather than empty ones. When two are left, the user is asked, with the flags to choose from,
// because rows asked for the wrong column cost more than the question. What is chosen, and what nearly was, is
// explained in the log and by [InspectFile].
//
// # Advice
//
// A run counts what looks like a mistake in the data, and its summary explains each kind ([Advice]): hashes made
// the wrong way, columns that are mostly invalid, one identity in very many rows. Advice is about counts and
// places; nothing fails because of it. Of hashes alone it cannot be known whether the emails were normalized, so
// nothing is said.
//
// # Doctor
//
// A [Doctor] looks at what a job needs before there is one. Its checks are always the same, in the same order, and each
// says what was found and what to do; one that cannot be made because another failed is skipped, never guessed. Service
// and storage are examined side by side, each within its own time, so that the answer comes within 20 seconds: a job's
// patience of minutes would help nobody who waits at a terminal. The first failure decides the error, and so the exit
// code: the one that the job would have ended with. Of the clock the header Date is taken, in whole seconds, because it
// comes with every reply, also when the credentials are wrong.
//
// # Errors
//
// A [UsageError] is a job that has to be said differently. A *[client.Error] comes from the service and says
// whether credentials, the service itself or a broken promise are at fault. [pipeline.TooManyInvalidError],
// [table.ErrHeld], [table.ErrOtherTable] and [ErrDamaged] say what they say; context.Canceled means that the
// run was interrupted in good order and can be continued. Errors name places (file and line), never values.
package jobs
