//! Seconds since the epoch as a person reads them.

const DAY: u64 = 24 * 60 * 60;

/// The moment as `2026-11-21 14:05 UTC`.
pub fn utc(seconds: u64) -> String {
    let (year, month, day) = date(seconds / DAY);
    let (hour, minute) = (seconds % DAY / 3600, seconds % 3600 / 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// The Gregorian date a number of days after 1970-01-01. Counting from 1 March of a year 0 puts the leap day at
/// the end of the year, where it disturbs no month before it.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_IN_400_YEARS: u64 = 146_097;
    const FROM_YEAR_0_TO_1970: u64 = 719_468;

    let days = days + FROM_YEAR_0_TO_1970;
    let (era, day) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;

    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + carry, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_a_date() {
        let table = [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_795_269_900, "2026-11-21 14:05 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ];
        for (seconds, expected) in table {
            assert_eq!(utc(seconds), expected);
        }
    }
}
