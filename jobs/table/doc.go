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
// A simulator in the tests lives through thousands of schedules of all this, on a storage that fails, loses replies and
// does things later, with no lease honoured; it also breaks each of these rules, and sees that rows are lost then.
//
// # Errors
//
// [ErrFenced], [ErrOtherTable], [ErrHeld], [ErrAborted], [ErrCommitted] and [ErrDamaged] are conditions that a caller branches on.
package table
