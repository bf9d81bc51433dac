// Package objectstest checks that a storage keeps the promises of package objects: a conformance suite that every
// backend passes, against real servers over real HTTP, and a proxy between the two that breaks requests and replies.
package objectstest
