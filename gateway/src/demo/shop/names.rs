//! What are people called? Names in several scripts, each beside the Latin letters its owner uses in an address.

use super::random::Random;

/// A name as its owner writes it, and in lower-case Latin letters.
pub(super) type Spelling = (&'static str, &'static str);

/// The names of one part of the world.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    given: &'static [Spelling],
    family: &'static [Spelling],
    family_first: bool,
    /// Street and town, as an address ends there.
    pub(super) towns: &'static [&'static str],
}

impl Names {
    /// Returns the names of the `n`th person: half of the people use Latin letters, the others share the rest.
    pub(super) fn of_person(n: u32) -> &'static Self {
        let index = if n.is_multiple_of(2) { 0 } else { 1 + (n / 2) % (ALL_LEN - 1) };
        usize::try_from(index).ok().and_then(|index| ALL.get(index)).unwrap_or(&LATIN)
    }

    /// Returns a full name, and the same in Latin letters with a dot between.
    pub(super) fn full_name(&self, random: &mut Random) -> (String, String) {
        let (given, given_latin) = random.pick(self.given);
        let (family, family_latin) = random.pick(self.family);
        let name = if self.family_first {
            format!("{family}{given}")
        } else {
            format!("{given} {family}")
        };
        (name, format!("{given_latin}.{family_latin}"))
    }
}

const LATIN: Names = Names {
    given: &[
        ("Zoë", "zoe"),
        ("Björn", "bjoern"),
        ("François", "francois"),
        ("Łukasz", "lukasz"),
        ("Señorita Ana", "ana"),
        ("Dvořák", "dvorak"),
        ("Çelik", "celik"),
        ("Nguyễn", "nguyen"),
        ("Oisín", "oisin"),
        ("Mary-Jane", "maryjane"),
    ],
    family: &[
        ("O'Example", "oexample"),
        ("Größenwahn", "groessenwahn"),
        ("Żółw", "zolw"),
        ("Testersson", "testersson"),
        ("d'Exemple", "dexemple"),
        ("Muñoz Ejemplo", "munoz"),
        ("Ångström", "angstroem"),
        ("Ünlü", "unlu"),
        ("van der Beispiel", "vanderbeispiel"),
        ("Novák", "novak"),
    ],
    family_first: false,
    towns: &[
        "12 Shadow Lane, Northport",
        "3 rue de l'Éclipse, Villeneuve",
        "Mondstraße 8, Überlingen",
    ],
};

const GREEK: Names = Names {
    given: &[("Ελένη", "eleni"), ("Γιώργος", "giorgos"), ("Σοφία", "sofia"), ("Νίκος", "nikos")],
    family: &[("Παπαδοπούλου", "papadopoulou"), ("Σκιάς", "skias"), ("Δοκίμης", "dokimis")],
    family_first: false,
    towns: &["Οδός Σελήνης 5, Αθήνα", "Οδός Ηλίου 9, Χανιά"],
};

const CYRILLIC: Names = Names {
    given: &[("Ольга", "olga"), ("Дмитро", "dmytro"), ("Жанна", "zhanna"), ("Иван", "ivan")],
    family: &[("Примерова", "primerova"), ("Тестенко", "testenko"), ("Затмение", "zatmenie")],
    family_first: false,
    towns: &["ул. Лунная, 7, София", "вул. Сонячна, 3, Київ"],
};

const ARABIC: Names = Names {
    given: &[("ليلى", "layla"), ("يوسف", "yusuf"), ("عائشة", "aisha"), ("كريم", "karim")],
    family: &[("المثال", "almithal"), ("الظل", "aldhil"), ("التجربة", "altajriba")],
    family_first: false,
    towns: &["شارع القمر ٤، القاهرة", "شارع الشمس ١٢، عمّان"],
};

const CHINESE: Names = Names {
    given: &[("小明", "xiaoming"), ("思远", "siyuan"), ("晓月", "xiaoyue"), ("文静", "wenjing")],
    family: &[("欧阳", "ouyang"), ("司马", "sima"), ("诸葛", "zhuge")],
    family_first: true,
    towns: &["月光路八号, 上海", "影子街三号, 成都"],
};

const JAPANESE: Names = Names {
    given: &[("さくら", "sakura"), ("ハルト", "haruto"), ("陽子", "yoko"), ("健太", "kenta")],
    family: &[("例示野", "reijino"), ("影山", "kageyama"), ("試験田", "shikenda")],
    family_first: true,
    towns: &["月見町一丁目二番, 京都", "日影通り七番, 札幌"],
};

const HINDI: Names = Names {
    given: &[("प्रिया", "priya"), ("अर्जुन", "arjun"), ("लक्ष्मी", "lakshmi"), ("रोहन", "rohan")],
    family: &[("उदाहरण", "udaharan"), ("छाया", "chhaya"), ("परीक्षण", "parikshan")],
    family_first: false,
    towns: &["चंद्र मार्ग ६, दिल्ली", "सूर्य पथ २, पुणे"],
};

const ALL: [Names; 7] = [LATIN, GREEK, CYRILLIC, ARABIC, CHINESE, JAPANESE, HINDI];
const ALL_LEN: u32 = 7;
