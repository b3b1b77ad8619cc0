//! What does the system say about a process and the machine? Read from `/proc`.

use std::fs;

use anyhow::Context;

/// Returns the processor time a running process took so far, in seconds: its own, user and system.
///
/// # Errors
/// When `/proc` does not say.
pub fn cpu_seconds(process: u32) -> anyhow::Result<f64> {
    ticks(&format!("/proc/{process}/stat"), OWN)
}

/// Returns the processor time of all children that ended and were waited for, in seconds.
///
/// # Errors
/// When `/proc` does not say.
pub fn ended_children_cpu_seconds() -> anyhow::Result<f64> {
    ticks("/proc/self/stat", CHILDREN)
}

/// Returns the most memory that a running process ever had resident, in KiB.
///
/// # Errors
/// When `/proc` does not say.
pub fn peak_resident_kib(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix("kB"));
    Ok(number.context("/proc has no VmHWM")?.trim().parse()?)
}

/// Returns the load of the last minute.
///
/// # Errors
/// When `/proc` does not say.
pub fn load() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().next().context("/proc/loadavg is empty")?.parse()?)
}

/// Returns the command line of every process that runs, its arguments parted by blanks.
///
/// # Errors
/// When `/proc` cannot be read. A process that ends meanwhile is no error.
pub fn command_lines() -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
        if number.is_some()
            && let Ok(bytes) = fs::read(path.join("cmdline"))
        {
            found.push(String::from_utf8_lossy(&bytes).replace('\0', " "));
        }
    }
    Ok(found)
}

/// Sums two fields of a `stat` file, counted from 1 as in `proc_pid_stat(5)`.
fn ticks(path: &str, fields: [usize; 2]) -> anyhow::Result<f64> {
    let text = fs::read_to_string(path)?;
    sum_of(&text, fields).with_context(|| format!("{path} has no times"))
}

/// The second field is the program's name in parentheses, and may hold both blanks and parentheses.
fn sum_of(stat: &str, fields: [usize; 2]) -> Option<f64> {
    let (_, after) = stat.rsplit_once(')')?;
    let mut sum = 0.0;
    for field in fields {
        let ticks: u32 = after.split_whitespace().nth(field.checked_sub(3)?)?.parse().ok()?;
        sum += f64::from(ticks) / TICKS_PER_SECOND;
    }
    Some(sum)
}

const OWN: [usize; 2] = [14, 15];
const CHILDREN: [usize; 2] = [16, 17];
/// `USER_HZ`, which Linux keeps at 100 for programs whatever the kernel's own clock is.
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_a_name_with_blanks_and_parentheses() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 1 2 3 4 150 50 20 5 20 0 1 0";
        assert_eq!(sum_of(stat, OWN), Some(2.0));
        assert_eq!(sum_of(stat, CHILDREN), Some(0.25));
        assert_eq!(sum_of("7 (a) S 1", OWN), None);
    }

    #[test]
    fn this_process_is_known() {
        let own = std::process::id();
        assert!(peak_resident_kib(own).unwrap() > 100);
        assert!(cpu_seconds(own).unwrap() >= 0.0);
        assert!(load().unwrap() >= 0.0);
        let name = std::env::current_exe().unwrap().file_name().unwrap().to_owned();
        let name = name.to_str().unwrap();
        assert!(command_lines().unwrap().iter().any(|line| line.contains(name)));
    }
}
