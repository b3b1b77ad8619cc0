//! The silo over real directories, buckets in memory, and stubs of clouds.

mod clouds;
mod files;
mod lake;
mod parquet;
mod rows;

use lake::{
    attachments, bucket, column, declare, gzip, known, local, parquet_of, people, read, rows,
    section,
};
