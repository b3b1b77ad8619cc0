//! Which figures of a silo are counted? Labels are its name, its type and fixed words; never a value of its data.

use std::time::Duration;

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

/// The figures of one silo.
pub(super) struct Meters {
    name: String,
    silo_type: &'static str,
    pub(super) connections: Gauge,
    pub(super) waiting: Gauge,
    pub(super) reading: Gauge,
    rows: Counter,
    bytes: Counter,
    waits: Counter,
    waited: Counter,
    pub(super) circuit: Gauge,
    opened: Counter,
}

impl Meters {
    /// Registers the figures with the recorder of this process, if there is one by now.
    pub(super) fn new(name: &str, silo_type: &'static str, max_connections: u32) -> Self {
        describe();
        let labels = [("silo", name.to_owned()), ("type", silo_type.to_owned())];
        gauge!(MAX_CONNECTIONS, &labels).set(f64::from(max_connections));
        Self {
            connections: gauge!(CONNECTIONS, &labels),
            waiting: gauge!(WAITING, &labels),
            reading: gauge!(READING, &labels),
            rows: counter!(ROWS, &labels),
            bytes: counter!(BYTES, &labels),
            waits: counter!(WAITS, &labels),
            waited: counter!(WAITED, &labels),
            circuit: gauge!(CIRCUIT, &labels),
            opened: counter!(OPENED, &labels),
            name: name.to_owned(),
            silo_type,
        }
    }

    /// Counts what was read.
    pub(super) fn read(&self, rows: u64, bytes: u64) {
        self.rows.increment(rows);
        self.bytes.increment(bytes);
    }

    /// Counts a wait for a budget.
    pub(super) fn wait(&self, time: Duration) {
        self.waits.increment(1);
        self.waited.increment(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    }

    /// Counts a failure by its fixed word.
    pub(super) fn failed(&self, code: &'static str) {
        let labels = [
            ("silo", self.name.clone()),
            ("type", self.silo_type.to_owned()),
            ("code", code.to_owned()),
        ];
        counter!(FAILURES, &labels).increment(1);
    }

    /// Counts that the silo is left alone from now on.
    pub(super) fn left_alone(&self) {
        self.opened.increment(1);
    }
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

fn describe() {
    describe_gauge!(CONNECTIONS, "Open connections to a silo");
    describe_gauge!(MAX_CONNECTIONS, "Connections to a silo that settings allow");
    describe_gauge!(WAITING, "Callers that wait for a connection to a silo");
    describe_gauge!(READING, "Sections of a silo that are being read");
    describe_counter!(ROWS, "Rows that were read from a silo");
    describe_counter!(
        BYTES,
        Unit::Bytes,
        "Bytes of columns and attachments that were read from a silo"
    );
    describe_counter!(WAITS, "Waits for the budgets of a silo");
    describe_counter!(WAITED, Unit::Milliseconds, "Time spent waiting for the budgets of a silo");
    describe_gauge!(CIRCUIT, "Whether a silo is left alone: 0 no, 1 being tried, 2 yes");
    describe_counter!(OPENED, "How often it was decided to leave a silo alone");
    describe_counter!(FAILURES, "Calls of a silo that failed, by code");
}

const CONNECTIONS: &str = "antumbra_silo_connections";
const MAX_CONNECTIONS: &str = "antumbra_silo_connections_max";
const WAITING: &str = "antumbra_silo_connections_waiting";
const READING: &str = "antumbra_silo_sections_reading";
const ROWS: &str = "antumbra_silo_rows_total";
const BYTES: &str = "antumbra_silo_bytes_total";
const WAITS: &str = "antumbra_silo_budget_waits_total";
const WAITED: &str = "antumbra_silo_budget_wait_milliseconds_total";
const CIRCUIT: &str = "antumbra_silo_circuit";
const OPENED: &str = "antumbra_silo_circuit_opened_total";
const FAILURES: &str = "antumbra_silo_failures_total";
