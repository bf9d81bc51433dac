// Package sinks writes what a run found out as Parquet, and reads it back to check it.
//
// A run has three datasets. mapped has a row for each pair of input row and identifier column that has a raw
// UID, unmapped one for each that has none, with the reason, and refresh_from has the mapped rows again, in a
// few columns, as an index by the time from which to ask again. [Schema] returns their columns. A [Writer]
// writes them for one shard of a run, part after part; a part has at most one [File] of each dataset, named
// as [PartName] says. [Recount] counts what is in a file.
//
// A table is of one [Network], which [Options] say and which decides its columns: UID2 and EUID have the hash of an
// identity in base64; ID5 has it in hexadecimal digits, and behind it the country that was sent with it, which is part of
// the identity's key there. Both are as the service takes them.
//
// # Guarantees
//
// Rows of mapped and unmapped stand in the order in which they came. Those of refresh_from rise by
// refresh_from, nulls last, and where it is the same stand in the order in which they came; their row groups are
// small, so that the rows due on a day are a few row groups at the front.
//
// A file is published whole or not at all, and is on disk before [Writer.Seal] returns. Nothing a caller hands
// over is kept after the call. A writer holds the open row group of mapped and of unmapped, 131,072 rows of
// about 125 bytes, and of each mapped row of the part about 125 bytes more for refresh_from, which can only be
// sorted when the part ends: [Writer.Memory] tells, so that a caller can seal in time. No row costs an
// allocation.
//
// Row groups have null counts of all columns, and min and max of refresh_from, source_row and mapped_at.
//
// Kept columns come back with the type they had, which can be string, binary (both also large), the integers,
// float32, float64, bool, date32, timestamp in ms, us or ns with any zone, or decimal128. Timestamps in
// seconds are refused: Parquet has none.
//
// # Errors
//
// Writing fails when the bucket does; the error names the part. A row that no bug-free caller hands over (a
// mapped one without raw UID, a kept column of another type than planned) is an error too. Any error ends the
// part: see [Writer]. No error holds a value of a row.
//
// # Decisions
//
// Pages are built here, as rows come, and handed to Arrow's page writer, which does headers and footers.
// Arrow's column writers take 750 ns for a row of mapped, as they copy each value several times; this way it
// is 210, most of which are SHA-256, base64 and the kernel. Rows come in blocks and are appended column by column, which
// takes a fifth less than row by row. Arrow's writers are the oracle of the tests.
//
// refresh_from is sorted in memory. Its rows wait encoded as they will stand in the file, in pieces of one refresh_from
// each, which at the end are put in order and copied into pages. Batches of a few thousand rows are dealt into pieces where
// a cache holds them: rows dealt one by one over the memory of a whole part, or sorted in it, take 60 ns more.
//
// Arrow also computes wrong min and max for texts when the memory they lie in is used again, which hides rows
// from readers that prune. Statistics are computed here; texts have none, as min and max of random text prune
// nothing. [File] has the bounds of the hashes instead.
//
// Values are plain, or in a dictionary where there are few: the encodings that every reader knows. Data pages
// are of version 1 for the same reason.
//
// A country is never null, empty where none was sent: it is part of a key, and null is equal to nothing. It is in a
// dictionary, and its text is a piece of a constant one, so that it costs no allocation.
//
// A refresh row keeps its raw UID as text, as it is opaque, and its hash as text, which takes 12 bytes more than the hash
// itself and spares a pass over all rows at the end.
//
// Recount reads with another library than the one that helps to write, so that no file is vouched for by
// the code that made it.
package sinks
