//! Do the commands do to ring and store what they say, also when something comes between?

mod destroying;
mod exporting;
mod retiring;
mod rewrapping;
mod room;
mod rotating;
mod storeless;
