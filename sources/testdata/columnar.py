"""Writes the same rows as Parquet and Arrow in the ways that pyarrow knows, below the folder that is named.

Row i is made of i alone, so that who reads the files can tell what has to be in them.
"""

import decimal
import hashlib
import os
import sys

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

ROWS = 2500
folder = sys.argv[1]


def column(typ, value):
    """Every fifth cell is null."""
    return pa.array([None if i % 5 == 4 else value(i) for i in range(ROWS)], typ)


columns = {
    "id": pa.array(range(ROWS), pa.int64()),
    "email": column(pa.string(), lambda i: f"person{i}@example.com"),
    "large": column(pa.large_string(), lambda i: f"person{i}@example.com"),
    "word": column(pa.string(), lambda i: f"word {i % 10}").dictionary_encode(),
    "hash": column(pa.binary(32), lambda i: hashlib.sha256(str(i).encode()).digest()),
    "bytes": column(pa.large_binary(), lambda i: hashlib.sha256(str(i).encode()).digest()),
    "nothing": pa.nulls(ROWS),
    "flag": column(pa.bool_(), lambda i: i % 3 == 0),
    "small": column(pa.uint8(), lambda i: i % 200),
    "half": pa.array([None if i % 5 == 4 else i % 100 / 4 for i in range(ROWS)], pa.float32()).cast(pa.float16()),
    "real": column(pa.float64(), lambda i: i / 4),
    "day": column(pa.date32(), lambda i: i),
    "nanos": column(pa.timestamp("ns", "UTC"), lambda i: i),
    "seconds": column(pa.timestamp("s"), lambda i: i),
    "price": column(pa.decimal128(12, 2), lambda i: decimal.Decimal(i - 100) / 4),
    "time": column(pa.time64("us"), lambda i: i),
    "tags": column(pa.list_(pa.int32()), lambda i: [i]),
}
table = pa.table(columns)


def parquet(name, table=table, **options):
    pq.write_table(table, os.path.join(folder, name + ".parquet"), row_group_size=1000, data_page_size=3000, **options)


parquet("plain", use_dictionary=False, compression="none")
parquet("default")
parquet("old", version="1.0", store_schema=False, use_deprecated_int96_timestamps=True)
parquet("pages_2", data_page_version="2.0", compression="zstd")
parquet("pages_2_plain", data_page_version="2.0", use_dictionary=False, compression="gzip")
parquet("brotli", compression="brotli")
parquet("delta", use_dictionary=False, column_encoding={
    "id": "DELTA_BINARY_PACKED", "email": "DELTA_BYTE_ARRAY", "large": "DELTA_LENGTH_BYTE_ARRAY",
    "day": "DELTA_BINARY_PACKED", "nanos": "DELTA_BINARY_PACKED", "small": "DELTA_BINARY_PACKED", "flag": "RLE"})
parquet("byte_stream_split", use_dictionary=False, column_encoding={"real": "BYTE_STREAM_SPLIT", "hash": "BYTE_STREAM_SPLIT"})
parquet("lz4", compression={"real": "lz4", "id": "snappy", "email": "snappy"})
parquet("no_rows", table.slice(0, 0))

with pq.ParquetWriter(os.path.join(folder, "empty_groups.parquet"), table.schema) as writer:
    for begin, rows in ((0, 0), (0, 1000), (1000, 0), (1000, 1500), (0, 0)):
        writer.write_table(table.slice(begin, rows))

views = table.append_column("view", columns["email"].cast(pa.string_view()))


def arrow(name, new, table=views, rows=1000, **options):
    with new(os.path.join(folder, name), table.schema, options=ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=rows)


arrow("file.arrow", ipc.new_file)
arrow("lz4.arrow", ipc.new_file, compression="lz4")
arrow("zstd.arrows", ipc.new_stream, compression="zstd")
arrow("stream.arrows", ipc.new_stream)
arrow("small.arrows", ipc.new_stream, rows=70)
arrow("no_rows.arrow", ipc.new_file, views.slice(0, 0))
arrow("no_rows.arrows", ipc.new_stream, views.slice(0, 0))
# Each part has a dictionary of its own, which the next replaces.
parts = [pa.table({"id": columns["id"].slice(i, 500), "word": columns["word"].slice(i, 500).cast(pa.string()).dictionary_encode()})
         for i in range(0, ROWS, 500)]
arrow("replaced.arrows", ipc.new_stream, pa.concat_tables(parts))
arrow("grown.arrow", ipc.new_file, pa.concat_tables(parts).unify_dictionaries(), emit_dictionary_deltas=True)
feather.write_feather(table, os.path.join(folder, "a.feather"), chunksize=1000)
