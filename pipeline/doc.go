// Package pipeline is the way of a record: from a source to a service and into a sink. It is the only place
// with goroutines on that way, but for the bytes of a cloud that package objects fetches ahead, and the only one that
// knows sources, normalize, client and sinks together.
//
//	read                  ask                       join
//	one goroutine         MaxInFlight goroutines    one goroutine
//
//	sources.Batch   (of up to three inputs, so that the next one is open when its turn comes)
//	   │ normalize
//	   ▼
//	identities ──┐
//	   │ pack    │ asked recently:
//	   ▼         │ wait for that answer
//	 chunk ──────┼──────► Mapper.Map ──────────┐
//	   │         │                             │ answers
//	   └─────────┴── in source order ──────────┴► rows ──► sinks.Writer ──► Part ──► sealed
//
// A chunk is consecutive rows and the one request that they need: it closes at MaxBatch distinct identities, or
// at 3 MB of rows. An identity that was asked in the chunk or among those asked last is not asked again; its
// row waits for that answer. What is asked depends on the input alone, never on timing. Chunks are asked side
// by side and joined in source order, so the same input and the same answers give the same rows in the same
// order.
//
// Rows go through in blocks of 64: they are normalized before the first is packed, so that what is asked of the memory for
// them is waited for once, and mapped ones are handed to the writer together, which writes them column by column. Until
// then they refer to their chunk, so a block ends with it at the latest.
//
// # Merge
//
// With Options.Merge, what is asked is not what is read but what comes of comparing it with what a table knows. The
// reader then has two phases:
//
//	sources.Batch                          Merge.Tasks
//	   │ normalize                            │ pass over what is done
//	   ▼                                      ▼
//	identities ──► Merge.Add     and then   tasks ──► pack ──► chunk, and on as above
//
// A task is one row to be, with the decision what to do about it: [Ask], [Tell] what is known, [Withhold] it, and so on.
// Whoever decides is not in this package, which hands over all that was read, in source order, and takes tasks in
// whatever order they come, of all inputs mixed and of none at all ([NoInput]: what only the table holds). Tasks, and
// not rows, are then what cursors count. A run that is continued reads and adds everything again, since the merge keeps
// nothing, and passes over the tasks that are done; when they do not account for as many lines as the last part says,
// an input or the table is not what it was, and Run fails.
//
// An answer is compared with the one that was known, which gives the columns change and former_uid. Identities that are
// told are due some day like those asked, so both stand in the calendar of the run, once each.
//
// Malformed lines and identifiers that cannot be asked are known when all is added: MaxInvalid is looked at then, before
// anything is asked, and again at the very end. Not in between, because tasks are sorted and invalid ones stand together.
//
// # Memory
//
// Chunks on the way hold shares of one byte budget, from being read to being written, and so do tasks; what a merge
// keeps of what it is told is its own affair. When it is spent, reading waits; nothing else does. (It also waits when too
// much is asked and not sealed, see Delivery.) Behind it come the answers to the identities asked last, of fixed size, and
// the open part, which is sealed when it holds PartBytes.
//
// # Delivery
//
// A part covers the rows between two cursors, all of them and once: every line of the input becomes mapped or
// unmapped rows, one for each identifier, or is counted as a row without any. After a crash, reading goes on at
// the cursor of the last part that was sealed; what came after it is read, asked and written again. When
// something fails, what comes before it in the input is sealed and what comes after it is dropped.
//
// While a part is sealed nothing is written, and asking goes on: up to three times as many chunks ahead as there are
// requests at once, as far as the byte budget has room. But no more than PartRows identities, and those of MaxInFlight + 1
// requests, are ever asked and in no sealed part. That is what a crash makes be asked again, beside identities of sealed
// parts that come once more in what is left: those asked last are forgotten with the process.
//
// # Decisions
//
// Normalizing and packing share a goroutine: they cost less than what joins and writes a row, so a stage more would
// only add a queue. The reader hands rows to a taker, which packs them or adds them to a merge: a branch for the merge
// would run through all of it. Tasks are packed, numbered and sent by the same packer as rows, and become chunks of the
// same kind, so asking and the order of writing know nothing of a merge. Reading has one for each input that is open, because a storage far away takes its time to begin
// with a file. The answers asked last are copied out of their chunk when it is done: keeping whole chunks would tie
// memory to how sparsely new identities come.
//
// What points to mistakes in the data (columns that are mostly invalid, hashes of emails that were not
// normalized, identities in very many rows) is counted on the way, by part like everything else, because nothing
// behind this package sees every row. It costs an addition a row; see [Totals].
package pipeline
