//! Names as they are in Japan, put together by chance.

/// A stream of numbers from a seed (SplitMix64): fast, and the same on every machine.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end.max(1))).unwrap_or_default()
    }

    /// To the next of events that come independently of one another, so many a second.
    pub fn interval(&mut self, per_second: u32) -> std::time::Duration {
        let part = (f64::from(self.below(1 << 24)) + 1.0) / f64::from(1 << 24);
        std::time::Duration::from_secs_f64(-part.ln() / f64::from(per_second))
    }

    pub fn bytes(&mut self) -> [u8; 16] {
        (u128::from(self.next()) << 64 | u128::from(self.next())).to_be_bytes()
    }

    pub fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[usize::try_from(self.next() % all.len() as u64).unwrap_or_default()]
    }

    /// `株式会社さくら調剤薬局`; no two are called so.
    pub fn company(&mut self, number: u32) -> String {
        let (place, name) = (self.one_of(TOWNS), self.one_of(CHAINS));
        let (kind, form) = (self.one_of(KINDS), self.one_of(FORMS));
        match number {
            0..100 => format!("{name}{kind}{form}{number}"),
            _ => format!("{place}{name}{kind}{number}"),
        }
    }

    /// `海老名駅前店`; no two of a company are called so.
    pub fn shop(&mut self, number: u32) -> String {
        let (town, part) = (self.one_of(TOWNS), self.one_of(PARTS));
        match number {
            0 => "本店".to_owned(),
            _ if number < 40 => format!("{town}{part}店{number}"),
            _ => format!("{town}{part}{number}号店"),
        }
    }

    pub fn label(&mut self, number: u32) -> String {
        let (place, kind) = (self.one_of(ROOMS), self.one_of(MACHINES));
        if number < 8 { format!("{place}の{kind}") } else { format!("{place}{kind} {number}") }
    }

    /// `AP-012345`: what is glued to devices.
    pub fn asset(&mut self, number: u32) -> String {
        format!("{}-{number:06}", self.one_of(&["AP", "PC", "TAB"]))
    }

    pub fn person(&mut self) -> String {
        format!("{} {}", self.one_of(SURNAMES), self.one_of(GIVEN))
    }

    pub fn platform(&mut self) -> &'static str {
        self.one_of(&["windows", "windows", "ios", "ipados", "macos", "android"])
    }
}

const CHAINS: &[&str] = &[
    "あおば",
    "さくら",
    "みどり",
    "ひまわり",
    "すずらん",
    "たんぽぽ",
    "なのはな",
    "ふたば",
    "わかば",
    "こすもす",
    "つばさ",
    "きぼう",
    "やまと",
    "にじいろ",
    "あすか",
    "はるか",
    "ひかり",
    "のぞみ",
    "アイリス",
    "エール",
    "オリーブ",
    "クローバー",
    "ハーモニー",
    "フローラ",
    "ライフ",
    "サンライズ",
    "中央",
    "共和",
    "日生",
    "東和",
    "三光",
    "大正",
    "富士",
    "松風",
    "若葉",
    "緑風",
    "清水",
    "高砂",
    "千歳",
    "光陽",
];
const KINDS: &[&str] = &["薬局", "調剤薬局", "ファーマシー", "ドラッグ", "メディカル", "ケア薬局", "堂薬局"];
const FORMS: &[&str] = &["グループ", "ホールディングス", "株式会社", "有限会社", ""];
const PARTS: &[&str] =
    &["", "駅前", "東口", "西口", "南口", "北口", "中央", "病院前", "本町", "イオン", "市役所前", "大学前"];
const ROOMS: &[&str] = &[
    "受付",
    "調剤室",
    "投薬カウンター",
    "事務室",
    "レジ",
    "在宅",
    "監査台",
    "休憩室",
    "店長",
    "相談コーナー",
    "薬歴",
    "処方箋入力",
    "会計",
    "無菌室",
    "倉庫",
];
const MACHINES: &[&str] =
    &["PC", "パソコン", "タブレット", "iPad", "ノートPC", "端末", "スマホ", "iPhone", "Surface", "サブ機"];
const TOWNS: &[&str] = &[
    "札幌",
    "旭川",
    "函館",
    "青森",
    "盛岡",
    "仙台",
    "秋田",
    "山形",
    "福島",
    "郡山",
    "水戸",
    "つくば",
    "宇都宮",
    "高崎",
    "前橋",
    "大宮",
    "川口",
    "所沢",
    "川越",
    "千葉",
    "船橋",
    "柏",
    "松戸",
    "新宿",
    "渋谷",
    "池袋",
    "上野",
    "品川",
    "立川",
    "八王子",
    "町田",
    "吉祥寺",
    "三鷹",
    "調布",
    "横浜",
    "川崎",
    "武蔵小杉",
    "藤沢",
    "海老名",
    "厚木",
    "小田原",
    "新潟",
    "長岡",
    "富山",
    "金沢",
    "福井",
    "甲府",
    "長野",
    "松本",
    "岐阜",
    "静岡",
    "浜松",
    "沼津",
    "名古屋",
    "豊橋",
    "岡崎",
    "一宮",
    "津",
    "四日市",
    "大津",
    "草津",
    "京都",
    "宇治",
    "大阪",
    "梅田",
    "難波",
    "堺",
    "枚方",
    "高槻",
    "豊中",
    "神戸",
    "三宮",
    "姫路",
    "西宮",
    "奈良",
    "和歌山",
    "鳥取",
    "米子",
    "松江",
    "岡山",
    "倉敷",
    "広島",
    "福山",
    "山口",
    "下関",
    "徳島",
    "高松",
    "松山",
    "今治",
    "高知",
    "博多",
    "天神",
    "小倉",
    "久留米",
    "佐賀",
    "長崎",
    "佐世保",
    "熊本",
    "大分",
    "別府",
    "宮崎",
    "鹿児島",
    "那覇",
    "沖縄",
    "石垣",
];
const SURNAMES: &[&str] = &[
    "佐藤",
    "鈴木",
    "高橋",
    "田中",
    "伊藤",
    "渡辺",
    "山本",
    "中村",
    "小林",
    "加藤",
    "吉田",
    "山田",
    "佐々木",
    "山口",
    "松本",
    "井上",
    "木村",
    "林",
    "斎藤",
    "清水",
    "山崎",
    "森",
    "池田",
    "橋本",
    "阿部",
    "石川",
    "山下",
    "中島",
    "石井",
    "小川",
    "前田",
    "岡田",
    "長谷川",
    "藤田",
    "後藤",
    "近藤",
    "村上",
    "遠藤",
    "青木",
    "坂本",
    "福田",
    "太田",
    "西村",
    "藤井",
    "金子",
    "岡本",
    "藤原",
    "中野",
    "三浦",
    "原田",
];
const GIVEN: &[&str] = &[
    "花子",
    "太郎",
    "陽子",
    "健一",
    "美咲",
    "大輔",
    "さくら",
    "翔太",
    "由美子",
    "直樹",
    "恵",
    "誠",
    "真由美",
    "拓也",
    "久美子",
    "浩",
    "裕子",
    "隆",
    "智子",
    "学",
    "彩",
    "亮",
    "愛",
    "剛",
    "千尋",
    "修",
    "奈々",
    "聡",
    "麻衣",
    "進",
    "明美",
    "豊",
    "和子",
    "清",
    "幸子",
    "実",
    "結衣",
    "蓮",
    "葵",
    "悠人",
];
