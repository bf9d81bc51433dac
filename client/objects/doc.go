// Package objects is where inputs come from and tables go to: files behind one small type.
//
// An [Object] is something to read: a file, with the size and version seen when it was found. A [Bucket] is a
// place to keep a table: objects under slash-separated keys, each written once and never changed. Everything
// that has to be decided between processes rests on one primitive, [Bucket.CreateIfAbsent].
//
// # Guarantees
//
// An object becomes visible whole or not at all, and is on disk before anybody can see it: it is written to a
// hidden temporary file, synced, linked into place with link(2), and its folder is synced. (O_EXCL alone would
// show half-written files, rename(2) would overwrite.) A process killed on the way leaves a hidden file named
// ".tmp-*", which [Bucket.List] does not list and [Bucket.Sweep] removes. A file system without hard links is
// refused by the first write.
//
// # Errors
//
// Errors match [fs.ErrNotExist], [fs.ErrExist] and [fs.ErrPermission] with errors.Is and name the object.
package objects
