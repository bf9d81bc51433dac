// Package view is the current state of a table: one row for each pair of caller's id and identity that its
// committed, unreplaced runs tell of. Whoever wants to know what a table says reads a [View].
//
// # Answers
//
// An answer belongs to the identity (type and hash, and for ID5 the country), whoever asked. The one that counts is the latest by mapped_at
// of all runs. When two have the same time an opt-out wins; if that does not decide, the later in the order of run
// id, part and row. A raw UID, an opt-out and the service's own INVALID_IDENTIFIER are answers. UNKNOWN is none: it
// supersedes nothing, and shows only where there is nothing else.
//
// # Life
//
// Life belongs to the pair, and goes by the seq of runs, never by mapped_at: the latest row of the pair tells whether
// it is live. REMOVED and SUPPRESSED end it, every other row of a map or signals run, or of one that stands for such
// runs (compact, forget), makes it live. Of remap runs SUPPRESSED ends it too; their other rows say nothing about life.
// Of runs with the same seq, one that replaces others is the older, as it stands for runs up to that seq; then the order
// is again that of run id, part and row. Kept columns and source_* are those of this latest row too, also if it ended the life;
// the row of a remap run has none.
//
// Part means the place of the file in the manifest, so that of two rows of a part the unmapped one is the later.
//
// Rows without a hash (malformed lines, invalid identifiers) are diagnostics of their run and never in the view.
//
// # Order
//
// Rows rise by type (email, phone), by the hash as it is stored, that is the bytes of its text, for ID5 by the country, of
// which none comes first, and by the bytes of the id, a null one first.
//
// # Networks
//
// A table is of UID2 or EUID, or of ID5, and the manifests of its runs say which. What differs is how a part writes an
// identity and how long it is in the keys that are sorted; all else is the same. Only a [Shuffle] is for UID2 and EUID
// alone: it tells by an answer that is known, and those of ID5 are not what the service says next.
//
// # How
//
// Each part of a run that is not sorted is copied next to the spill, which shows by its checksum whether it is what its
// run wrote, and is read from there when the view is opened. Each row becomes a record of a sort that spills to disk.
// Runs of kind compact and forget have each dataset in the order above, from part to part. They go past the sort: each
// use of Rows copies and reads their parts, in two goroutines for each dataset, of which one copies the next part while the
// other reads one. A row of which no other is of the same identity, as nearly all are, becomes a row of the view as it
// is; others become records, which are merged with the sorted ones. A row that is out of order is an error.
//
// The records of an identity come together, mostly that of the answer that counts first. What they say of pairs is sorted
// again, by pair and life, which is nothing to do for the most, with one record, and can spill too: memory does not grow
// with the pairs of an identity.
//
// # What is due
//
// [OpenDue] is a view of the identities that the service may have to be asked again about. It reads nothing but unmapped
// and the indexes by refresh_from, whose rows that are due are a prefix, twice: first those rows, to note the beginnings
// of their hashes in a set of bits; then all rows whose hashes are in it, as later runs may have answered and pairs may
// have come and gone. Only what is in the set is sorted. A run that is sorted is left out behind the prefix, unless
// other runs have something due. The files are read in place and without their checksums, as the scan is to take seconds where checksums take
// minutes; mapper verify is for those. A damaged file is an error if its pages and values show it.
//
// # Guarantees
//
// Memory is bounded by [Options], up to Memory*Memory/16 KiB of spill, which is 256 GB by default, and beyond which each
// further Memory of records costs 16 KiB. In addition there are the current pages of a part, 1 MB of results or one row
// that are not handed over yet, the names of input files, and while blocks are merged the largest record of each; each
// dataset of a sorted run has its own pages, four batches that are read ahead, of 1 MB or one row each, and two parts on
// disk. Rows of it share the memory of such a batch: who keeps one, keeps that. OpenDue gives half of the memory,
// 32 MB at most, to the set of bits, and reads two parts at once. Nothing is allocated for a row, only for a batch.
//
// No file and no goroutine outlives Rows but the spill itself, and no file Close, nor an Open that failed; what a process
// that was killed has left is removed by the next Open. Files of the spill can be read by their owner only. They hold
// no more than the parts do: no raw email or phone.
//
// # Errors
//
// A part that is damaged, missing, out of order, or of another schema is named, and so are two runs that keep a
// column of the same name and of different types. An error of the spill names the folder. No error holds a value of a row.
//
// # Decisions
//
// Runs that are not sorted are sorted together rather than each, and what says that it is sorted is believed only as far
// as it is: a wrong order would show as pairs that come twice.
//
// Batches belong to whoever gets them, as their consumers work on in other goroutines; memory that is used again would
// save less than copying costs them.
//
// OpenDue takes no statistics of row groups: rows of an index are in order, so that reading stops at the first one that
// is not due, and unmapped is small, and read again whole in any case.
//
// Parts are copied because that costs little beside the sort, and spares a storage far away a request for each
// column of each row group; and the Parquet library loops for ever over some kinds of damage, which the checksum
// finds first.
//
// Names of kept columns are compared without their case, as the writer of parts does: a column that two runs spell
// differently is one, with the first spelling.
package view
