// Package objects is where inputs come from and tables go to: local files, Google Cloud Storage (gs://), S3 and what
// speaks its protocol (s3://), and Azure Blob Storage (azblob://), behind one small type.
//
// A [Store] is the way to all of them. An [Object] is something to read, with the size and version seen when it was
// found; it opens as that or not at all. A [Bucket] is a place to keep a table: objects under slash-separated keys,
// each written once and never changed. Everything that has to be decided between processes rests on one primitive,
// [Bucket.CreateIfAbsent].
//
// # Guarantees
//
// An object becomes visible whole or not at all, and is safe before anybody can see it. Local files are written to a
// hidden temporary file, synced, linked into place with link(2), and their folder is synced. (O_EXCL alone would
// show half-written files, rename(2) would overwrite.) A process killed on the way leaves a hidden file named
// ".tmp-*", which [Bucket.List] does not list and [Bucket.Sweep] removes. A file system without hard links is
// refused by the first write. In a cloud the service itself creates an object only if there is none: generation 0
// on GCS, If-None-Match: * on S3 and Azure. An upload that was not finished is invisible.
//
// "Exists" is no verdict: an SDK repeats a request whose reply was lost, and then meets its own object. So every
// object that is created in a cloud carries a random id of its creator, and who finds an object in its way reads
// that id before it says that somebody else was first.
//
// What is written carries checksums that the service checks. What is read from GCS and S3 in one go, from its beginning
// to its end over one connection, is compared with the checksum that they keep.
//
// # Locks
//
// A [Lock] only saves work. Locally it is flock(2). In a cloud it is a heartbeat of small objects, each created if
// absent, of which the highest number holds: no clock is compared with another's, and a write in flight for long can
// hurt nobody, because it finds higher numbers beside it. A live holder gives a sign of life every 3 s, which costs it
// three requests; one that is silent for 15 s by the clock of who waits is overtaken, and one that was a process of the
// same machine and is dead, at once. Two believe to hold a lock only if one of them was paused, or cut off from the
// storage, for that long; it hears of it at its next sign of life.
//
// # Reading
//
// Reads are pinned: each request names the version, so an object that has been replaced is [ErrChanged] and never a
// mixture. A connection that breaks, is cut or goes silent is made again at the byte where it broke. From the
// beginning on, a file is one request whose bytes are fetched up to 4 MiB ahead; at places ([io.ReaderAt], for
// Parquet) it is requests of half a MiB through a cache of 24 MiB.
//
// # Errors
//
// Errors match [fs.ErrNotExist], [fs.ErrExist], [fs.ErrPermission], [ErrChanged], [ErrLocked] and [ErrUnavailable] with
// errors.Is and name the object. Passing failures are repeated by the SDKs for as long as [Store.GiveUpAfter] says.
//
// # Decisions
//
// The SDKs are used directly. A library over all of them hides what a commit needs: preconditions, what a retry
// means, and when an upload becomes visible.
package objects
