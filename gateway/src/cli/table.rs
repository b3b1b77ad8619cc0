//! How is a table printed? In columns as wide as they have to be.

/// Aligns rows under headings; without blanks at the ends of lines, without a line break at the end.
pub(super) fn table(headings: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut all: Vec<Vec<String>> =
        vec![headings.iter().map(|&heading| heading.to_owned()).collect()];
    all.extend(rows);
    let mut widths = vec![0; headings.len()];
    for row in &all {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let lines: Vec<String> = all
        .iter()
        .map(|row| {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows =
            vec![vec!["1".to_owned(), "ä".to_owned()], vec!["longer".to_owned(), String::new()]];
        assert_eq!(table(&["A", "B"], rows), "A       B\n1       ä\nlonger");
    }
}
