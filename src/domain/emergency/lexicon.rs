//! The phrases themselves. Folded spelling: lower case, no accents, no apostrophes.
//!
//! Words of a pattern may stand in any order within a narrow window; `=` at the start means exactly in this order.
//! `|` separates alternatives (recognisers' usual slips among them), `*` stands for any ending.

use crate::code::Lang;

pub(super) struct Entry {
    pub code: &'static str,
    pub patterns: &'static [&'static str],
    /// Its patterns are denials themselves ("cannot breathe"), or too grave to be talked away.
    pub serious_when_denied: bool,
}

const fn sign(code: &'static str, patterns: &'static [&'static str]) -> Entry {
    Entry { code, patterns, serious_when_denied: false }
}

const fn grave(code: &'static str, patterns: &'static [&'static str]) -> Entry {
    Entry { code, patterns, serious_when_denied: true }
}

pub(super) fn of(language: Lang) -> &'static [Entry] {
    match language {
        Lang::En => ENGLISH,
        Lang::Es => SPANISH,
        Lang::Cs => CZECH,
    }
}

/// Phrases in the shape callers say them, for spotting beside a recogniser. Two words at least: single short words are
/// spotted in anything.
pub fn spoken_phrases(language: Lang) -> &'static [&'static str] {
    match language {
        Lang::En => &[
            "chest pain",
            "chest pains",
            "pain in my chest",
            "can't breathe",
            "cannot breathe",
            "trouble breathing",
            "heart attack",
            "having a stroke",
            "won't wake up",
            "not breathing",
            "bleeding heavily",
            "won't stop bleeding",
            "taken too many",
            "kill myself",
            "call an ambulance",
            "it's an emergency",
            "this is an emergency",
            "allergic reaction",
            "unconscious person",
            "having a seizure",
        ],
        Lang::Es => &[
            "dolor de pecho",
            "dolor en el pecho",
            "no puedo respirar",
            "no respira",
            "un infarto",
            "no despierta",
            "sangra mucho",
            "una ambulancia",
            "es una emergencia",
            "quiero morir",
            "un ictus",
            "esta inconsciente",
        ],
        Lang::Cs => &[
            "bolest na hrudi",
            "boli me na hrudi",
            "nemuzu dychat",
            "neda se dychat",
            "nedycha vubec",
            "mam infarkt",
            "je v bezvedomi",
            "silne krvaci",
            "zavolejte zachranku",
            "zavolejte sanitku",
            "chci se zabit",
            "ma mrtvici",
        ],
    }
}

const ENGLISH: &[Entry] = &[
    sign(
        "chest_pain",
        &[
            "chest|chess|jest pain*",
            "chest hurt*|ache*|aching|sore",
            "chest tight*|pressure|crushing|squeez*|heavy|burning",
            "elephant chest",
            "=heart attack*",
            "pain* arm jaw|neck",
            "crushing pain*",
        ],
    ),
    grave(
        "breathing",
        &[
            "cant|cannot|couldnt|can't|unable breathe|breath",
            "can|could not breathe",
            "isnt|not|stopped|hardly|barely breathing",
            "=cant get breath|air",
            "cant catch breath",
            "trouble|difficulty|difficulties|struggling|problem* breathing|breathe",
            "gasping",
            "=short of breath",
            "shortness breath",
            "lips|fingers blue|purple",
        ],
    ),
    sign("choking", &["choking", "choked on"]),
    sign(
        "stroke",
        &[
            "=a stroke",
            "=having stroke",
            "stroke think*",
            "face droop*|dropped|drooping|fallen",
            "slurred|slurring speech|words",
            "cant lift|raise|move arm*",
        ],
    ),
    grave(
        "unconscious",
        &[
            "unconscious",
            "wont|cant|doesnt|not|cannot wake*|waking up",
            "collapsed",
            "unresponsive",
            "not responding|responsive",
            "passed out",
            "=fainted and",
        ],
    ),
    sign("fit", &["having|had|has fit|seizure|convulsion*", "seizure*", "convulsing|convulsions"]),
    grave(
        "bleeding",
        &[
            "bleeding wont|doesnt|not|cant|cannot stop",
            "bleeding heavily|badly|lot|everywhere|heavy",
            "heavy bleeding",
            "losing blood",
            "blood pouring|spraying|everywhere|spurting",
            "vomiting|coughing|throwing|puking blood",
        ],
    ),
    sign(
        "swelling",
        &["throat|tongue|lips|mouth|face swelling|swollen|swelled|closing", "=allergic reaction", "anaphyla*"],
    ),
    grave(
        "overdose",
        &[
            "overdose*|overdosed",
            "taken|took|swallowed too many",
            "swallowed|drank|drunk bleach|battery|poison|chemical*",
            "poisoned|poisoning",
        ],
    ),
    grave(
        "self_harm",
        &[
            "kill|killing|hurt|harm|hurting|harming|cut|cutting myself|himself|herself",
            "end my life",
            "suicid*",
            "=want to die",
            "dont|not want be here any more|anymore",
            "=dont want to live",
            "cant stay|keep safe",
        ],
    ),
    sign("burn", &["severe|bad|serious|terrible burn*|burns", "burned|burnt badly|face"]),
    sign(
        "injury",
        &[
            "head injury",
            "hit head unconscious|vomiting|bleeding",
            "stabbed|stabbing",
            "been shot",
            "=car crash",
            "=car accident",
            "fell|fallen height|roof|stairs",
        ],
    ),
    sign("labour", &["baby|babys coming now", "waters broke|broken", "=in labour|labor", "pregnant bleeding"]),
    sign("child", &["gone|going floppy", "baby not|isnt breathing|waking|responding", "floppy baby|child"]),
    sign("headache", &["worst headache", "sudden severe headache"]),
    sign("confusion", &["suddenly|sudden confused|confusion", "=funny turn"]),
    sign("meningitis", &["rash doesnt|not|wont fade", "stiff neck rash|fever|light"]),
    sign(
        "sight",
        &["sudden*|suddenly blind|blindness", "lost|losing sight|vision sudden*", "chemical|acid|bleach eye*"],
    ),
    sign("drowning", &["drowning|drowned"]),
    sign("dying", &["im|am|is|hes|shes dying", "going to die", "gonna die"]),
    sign(
        "emergency",
        &[
            "=an emergency",
            "=medical emergency",
            "=is emergency",
            "=its emergency",
            "ambulance",
            "=call 999|911|112",
            "=life threatening",
            "=need help now",
        ],
    ),
];

const SPANISH: &[Entry] = &[
    sign(
        "chest_pain",
        &["dolor*|duele|opresion|presion|aprieta pecho", "infarto", "=ataque al corazon", "=ataque cardiaco"],
    ),
    grave(
        "breathing",
        &[
            "no puedo|puede respirar",
            "no respira*",
            "cuesta|dificultad|problemas respirar",
            "falta aire",
            "ahogo",
            "labios azules|morados",
        ],
    ),
    sign("choking", &["atraganta*", "asfixia*", "=se ahoga|ahogando", "=me ahogo"]),
    sign("stroke", &["ictus", "derrame cerebral", "cara caida|torcida", "=no puede hablar", "=no puede mover"]),
    grave(
        "unconscious",
        &["inconsciente", "no despierta|reacciona|responde", "desmayado|desmayada|desmayo", "=perdido el conocimiento"],
    ),
    sign("fit", &["convulsion*|convulsiona*", "ataque epileptico|epilepsia"]),
    grave(
        "bleeding",
        &["sangra*|sangrando mucho|parar|para", "hemorragia", "no para|deja sangrar", "vomita*|vomitando sangre"],
    ),
    sign("swelling", &["garganta|lengua|labios hinchad*|hincha|hinchando|cierra", "reaccion alergica", "anafila*"]),
    grave("overdose", &["sobredosis", "tomado|tome|tragado demasiadas|muchas pastillas", "envenena*|veneno|lejia"]),
    grave(
        "self_harm",
        &["suicid*", "quiero|quiere morir*", "matarme|matarse", "=no quiero vivir", "hacerme dano", "quitarme la vida"],
    ),
    sign("burn", &["quemadura* grave*", "quemado|quemada mucho"]),
    sign("injury", &["golpe* cabeza fuerte", "apunala*", "disparo|disparado", "=accidente de coche|trafico"]),
    sign("labour", &["=de parto", "roto aguas", "bebe viene ya", "embarazada sangr*"]),
    sign("child", &["bebe no respira|reacciona|despierta", "bebe|nino flacido"]),
    sign("headache", &["peor dolor cabeza"]),
    sign("drowning", &["ahogado|ahogada"]),
    sign("dying", &["muriendo", "=me muero", "=se muere"]),
    sign("emergency", &["emergencia", "=una urgencia", "ambulancia", "=llame al 112"]),
];

const CZECH: &[Entry] = &[
    sign("chest_pain", &["boli|bolest*|tlak|tlaci|sviravy|svira|pali hrud*|prsou", "infarkt*", "srdecni zachvat"]),
    grave(
        "breathing",
        &[
            "nemuzu|nemuze|nemohu|nemohl|nejde|neda dychat|dejchat|nadechnout",
            "nedycha*",
            "=neni schopen|schopna dychat",
            "spatne|tezko dycha|dycham|dejcha*",
            "lapa|lapam dech*",
            "modre|modraji rty",
        ],
    ),
    sign("choking", &["=se dusi|dusim", "dusi|dusim se", "vdechl|vdechla"]),
    sign("stroke", &["mrtvic*|mrtvici", "pokleslo|poklesly koutek", "=nemuze mluvit", "ochrnul*|ochrnuta"]),
    grave(
        "unconscious",
        &[
            "bezvedomi",
            "nereaguje",
            "=neda probudit|vzbudit",
            "nejde probudit|vzbudit",
            "zkolabov*",
            "omdlel*",
            "nemuzu|nemuzeme probudit|vzbudit",
        ],
    ),
    sign("fit", &["zachvat* krec*|epilep*|ma", "krece|krecich"]),
    grave(
        "bleeding",
        &["silne|hodne|moc krvac*|krvaci", "krvaceni zastavit|neprestava", "vykrvac*", "zvraci krev", "strika krev"],
    ),
    sign("swelling", &["otek*|oteka|otekl* hrdlo|krk|jazyk|rty|oblicej", "alergick* reakc*", "anafyla*"]),
    grave("overdose", &["predavkov*", "spolykal*|vzal*|snedl* moc|hodne|plno prasku|leku", "otravil*|otrava|otraven*"]),
    grave(
        "self_harm",
        &[
            "zabit|zabiju se",
            "sebevra*",
            "nechci zit",
            "ublizit|ublizim sobe|si",
            "=skoncovat se zivotem",
            "=chci umrit",
        ],
    ),
    sign("burn", &["tezk*|silne|vazn* popalen*|spalen*", "oparil* cely|hodne|oblicej"]),
    sign("injury", &["uraz|poraneni hlavy", "pobodal*|bodnut*", "postrelen*", "autonehod*|bouracka", "=spadl z|ze"]),
    sign("labour", &["=zacal porod", "rodim", "odtekla|praskla voda", "tehotna krvac*"]),
    sign("child", &["dite|miminko nedycha|nereaguje|bezvladne"]),
    sign("headache", &["nejhorsi bolest hlavy"]),
    sign("drowning", &["topi|utopil* se"]),
    sign("dying", &["umiram|umira"]),
    sign(
        "emergency",
        &[
            "zachranka|zachranku|zachranna",
            "sanitka|sanitku",
            "nouzovy pripad|stav",
            "=jde o zivot",
            "=je to nouze",
            "prvni pomoc",
        ],
    ),
];
