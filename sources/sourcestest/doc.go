// Package sourcestest is the conformance suite of package sources: whatever format an input is in, what comes
// out of it must be the same.
//
// [Run] takes an encoder, which writes rows in the format, and checks reading them back: no rows, one, many;
// strange strings; nulls; projections; resuming at every batch; cancelling; leaving early; a layout that went
// through JSON; a file that changes. [Collect] is for tests that want rows and nothing else.
package sourcestest
