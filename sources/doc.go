// Package sources reads inputs: it opens a file or standard input, finds out how to read it, and yields Arrow
// records of a few thousand rows with only the columns that are wanted, and where in the input they stand.
//
// The central type is [Input]. [Inspect] looks at the first megabyte and finds the [Layout]: format,
// compression, encoding, delimiter, header, columns, as far as [Options] do not say it. A layout is kept with a run as JSON, and [Reopen] reads by it.
// [Input.Batches] is the reading itself. [List] turns what a user names into objects.
//
//	sources.List -> sources.Inspect -> Input.Sample, to find the columns that matter
//	                      |
//	                      +-> Input.Batches(columns, position) -> Batch, Batch, ...
//
// # Formats
//
// CSV, TSV, NDJSON and plain lines, also within gzip, zstd or bzip2; Parquet; and Arrow IPC, as a file (also named
// Feather 2) or as a stream, with buffers that may be compressed by lz4 or zstd. Compressed files put together are one
// text; zero bytes behind the last member of gzip are padding. Text is UTF-8, or UTF-16 with a byte order mark; in
// UTF-16 without one, Windows-1252 and Latin-1 it is read when [Options.Encoding] says so. Text formats have columns of
// strings; an empty cell of CSV or TSV is null, quoted or not, and so is a missing key or null of NDJSON, whose numbers
// and booleans keep the text they are written with. Columns
// of Parquet and Arrow keep their types, with these exceptions: large ones, dictionaries and views come out as plain
// strings and binary, columns of the type null as strings, half-precision numbers as float32, dates in milliseconds as
// dates in days, times in seconds as times in milliseconds, and UUIDs as text. Columns that cannot be read, as nested ones or times of
// day, are in [Layout.Unreadable] with the reason, and do not keep the others from being read.
//
// Parquet needs a file. Both formats of Arrow also come through standard input, where a file is read up to its footer.
//
// # Splits
//
// [Input.Splits] are the stretches of an input that can be read apart from each other, by [Input.Cut]: the row groups
// of Parquet. Everything else is one stretch.
//
// # Guarantees
//
//   - Every data row is in exactly one batch, in the order of the input. The header and blank lines are no
//     data rows; a row that cannot be read is one, all null, and listed in [Batch.Malformed].
//   - Reading from [Batch.Start] by the same layout yields that batch again and all that follow: where rows
//     and batches end depends on the text alone, not on the sizes in which it arrives.
//   - Text is decoded before it is looked at: positions are bytes of the text in UTF-8, whatever is stored, and the
//     same text has the same rows at the same positions in every encoding. Nothing takes the place of bytes that
//     are no character (half of a surrogate pair, an odd byte at the end, the five that Windows-1252 leaves open):
//     their row is malformed.
//   - A malformed row costs that row. One whose quotes do not work out costs the line it begins in, and one
//     longer than [Options.MaxRow] ends at the next line feed.
//   - A column of NDJSON is a key of the first megabyte. A row further on that has another one, with what is an email, a
//     SHA-256 or a phone number beyond doubt, is malformed: such a value is not lost in silence.
//   - An object that changed since it was found, or while it was read, is an error and never mixed rows.
//   - Memory is bounded, whatever the input: about 2 MiB for a text and its batch, and the window of the
//     compression (at most 128 MiB for zstd, 4 MiB for bzip2). For Parquet a page and the dictionary of each column,
//     and a batch, which has 1 MiB of values and at most 64 rows more. For Arrow the writer decides: a record batch
//     is held whole, as stored and as decoded, with the dictionaries it needs. More than 1 GiB of either is refused;
//     writers mostly make some 100 KiB to 64 MiB. An object in a cloud has its window besides, see package objects.
//   - Records are fresh memory, which the garbage collector frees. No goroutines are started, but for those with
//     which the library decodes zstd in a record batch of Arrow, which end with it.
//
// # Errors
//
// What is wrong with an input as a whole ends it, with an error that names the input and says what to do.
// [ErrEmpty], [ErrNoFiles] and [objects.ErrChanged] are there to be branched on. What is wrong with a row never
// does. Neither an error nor a reason ever contains a value from the input, column names aside.
//
// # Decisions
//
// Lines without quotes are split by code of our own, as this is where all rows of most inputs go: splitting a
// row costs about a third of what encoding/csv takes and a sixth of Arrow's CSV reader. Both of them are oracles
// of the tests. NDJSON goes through jsonparser, with what it is lenient about checked here. Parquet is read
// through Arrow's readers of column chunks, which cost half of its record reader and an eighth of reading
// structs with parquet-go. They would ask a damaged page that has fewer cells than it says for the rest without end, so
// that pages are checked before they get them.
//
// An encoding that has no mark is never guessed: a wrong guess gives rows all the same, with other letters in them.
// The error names the likely one and the flag, and an encoding given is refused where the text shows that it is
// another. To be given UTF-8 makes a difference too: text that is not all UTF-8 is then read, and its rows that are
// not are malformed. Undecodable bytes become a byte that UTF-8 never has, so that the check of rows that is there
// anyway finds them; the decoders of x/text write U+FFFD, which texts may have themselves.
//
// Delimiter, quote and the lack of a header make an input a table when they are given, and are an error for one that
// shows that it is none. The quote is not found out: next to nobody has another one, but cells with apostrophes are
// common.
//
// Arrow IPC is read by Arrow's library, which trusts what it reads: a wrong length can make it allocate all memory there
// is. So messages are read here, their metadata is checked, and the library allocates from a limited budget. Its record
// batches are cut into batches of the size that all formats have, and copied, because a slice would hold on to the
// memory of the whole. The footer of a file has no row numbers, so a Position in Arrow says in Line which row of its
// record batch it is; a file is entered there by the footer, a stream is read up to there.
//
// Position has no place for a line within a row group or for the state of a decompressor: to resume in compressed
// or encoded text decodes it from the beginning, and to resume in Parquet decodes the row group from its beginning.
//
// The delimiter is the one with which more than half of the first rows have the same number of fields; a first line
// sep=; says it, and is no row. A first row with another number of fields is a title or a damaged header, and refused:
// were it the header, all rows below it would be malformed. So is a table in which no row can be read for its quotes.
//
// The header is told from data by content: a first line in which a cell looks like an email, a phone number or a
// hash is data, and so is one that goes on in the rows below: c1 above c2. A word above identifiers or numbers is
// a name, and makes it a header. What is left is a header if most of its cells are words.
package sources
