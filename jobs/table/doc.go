// Package table is the state of a table: the only reader and writer of what lies under `_runs/`.
//
// A table is a folder that holds a set of runs. Everything that a run decides is one object that is created if
// absent and never changed:
//
//	_runs/table.json                    which service and environment the table's UIDs are of
//	_runs/<run>/plan.json               what the run reads and how; whoever comes second uses what is there
//	_runs/<run>/progress/<shard>-<n>.json   link n of a shard's chain: part n is sealed
//	_runs/<run>/.lease-<shard>              who works on a shard; in a cloud objects below it, which leases make and remove
//	_runs/<run>/manifest.json           the commit (or the abort): from here on a reader sees the run
//
// "Exists" is no verdict: every object carries the random id of its writer, and whoever finds an object in its
// way reads it. If the id is its own, it has won (so looks a repeated attempt whose reply was lost); if not,
// somebody else has, and it goes by what stands there. For a chain that means: it is fenced, it stops, and it
// deletes the part files that it wrote itself and nobody names.
//
// Every document ends with a checksum of itself, so that no byte of it changes unnoticed.
//
// Part files have a random suffix and count only when a link names them, so a crash between writing a file and
// naming it costs a stray file and nothing else. Strays are removed when the run commits.
//
// An abort is a manifest too, so that a run is either committed or aborted, whoever tries what at the same moment; only
// then are its files removed. What a process that did not notice leaves behind is found by [Table.Waste].
//
// # Runs that replace others
//
// Runs are of the kinds map, remap and signals, which tell something new, and compact and forget, which write again what
// the table says, all of it or all but what is to be forgotten. These two replace every run of their base, keep the
// highest seq of it, and are older than any other run of the same seq, as they stand for runs up to there. A base is
// all committed runs that no other replaces, listed last, just before the plan is created.
//
// That is right only if nobody who does not know of it changes the table meanwhile. No lease decides that, but the
// order in which plans are created: who has created one looks at all runs again ([Table.Yield]), and so of two that are
// planned at the same time at least one sees the other, and aborts itself. A run that the base covers, that is, which is
// one of it, or which one of those has replaced, and so on, is no hindrance. Of the others,
//   - compact gives way to every unfinished run, to a committed one that replaces others, and to a committed one that does
//     not know all of compact's base: its rows might be earlier than some of the base, and later than all that is left;
//   - forget gives way to every run, committed or not: what it has not read it cannot forget;
//   - every other run gives way to a forget, committed or not, as the forget removes what the run is built on, and the run
//     may bring back what is forgotten; and to a run that replaces one which its base does not cover, for between that
//     one and its own rows nobody would know the order.
//
// Two that see each other both give way. An abort uses up the run's id; so [Table.Clear], before a plan, spares most. Who
// continues a run asks Yield again, because whoever planned it may have died before.
//
// Files of runs that a compact replaces are waste after a grace. Those that a forget stands for, earlier compacts and
// what they have replaced included, go at once ([Table.Erase]), and are waste without a grace if that was not finished.
// A process that is paused through all that may still write a file of a run that is over; only [Table.Waste] finds it.
//
// A listing is no look at one moment. If it has a committed run and lacks one that this is built on or replaces, which
// was committed before and whose manifest stays for ever, then it is repeated, and fails when the run does not turn up.
//
// # Simulators
//
// A simulator in the tests lives through thousands of schedules of all this, on a storage that fails, loses replies and
// does things later, with no lease honoured. A second one lets runs of all kinds overlap, and compares what they say with
// a world in which nothing was ever replaced. Both also break each of these rules, and see that rows are lost then.
//
// # Errors
//
// [ErrFenced], [ErrOtherTable], [ErrHeld], [ErrAborted], [ErrCommitted], [ErrBusy], [ErrYielded] and [ErrDamaged] are
// conditions that a caller branches on.
package table
