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
// # Memory
//
// Chunks on the way hold shares of one byte budget, from being read to being written. When it is spent, reading
// waits; nothing else does. Behind it come the answers to the identities asked last, of fixed size, and the
// open part, which is sealed when it holds PartBytes.
//
// # Delivery
//
// A part covers the rows between two cursors, all of them and once: every line of the input becomes mapped or
// unmapped rows, one for each identifier, or is counted as a row without any. After a crash, reading goes on at
// the cursor of the last part that was sealed; what came after it is read, asked and written again. When
// something fails, what comes before it in the input is sealed and what comes after it is dropped.
//
// # Decisions
//
// Normalizing and packing share a goroutine: they cost less than what joins and writes a row, so a stage more would
// only add a queue. Reading has one for each input that is open, because a storage far away takes its time to begin
// with a file. The answers asked last are copied out of their chunk when it is done: keeping whole chunks would tie
// memory to how sparsely new identities come.
//
// What points to mistakes in the data (columns that are mostly invalid, hashes of emails that were not
// normalized, identities in very many rows) is counted on the way, by part like everything else, because nothing
// behind this package sees every row. It costs an addition a row; see [Totals].
package pipeline
