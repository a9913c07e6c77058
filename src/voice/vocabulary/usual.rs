//! What callers usually say, by language: not shown or spoken to anybody, only expected by the recogniser.

use auricle_domain::code::Lang;

/// The usual words of a language; `{}` is the place of a service, a day, an hour or a name.
pub(super) struct Usual {
    pub sentences: &'static [&'static str],
    pub emergency_leads: &'static [&'static str],
    pub services: &'static [&'static str],
    pub times: &'static [&'static str],
    pub days: &'static [&'static str],
    pub day_templates: &'static [&'static str],
    pub months: &'static [&'static str],
    pub ordinals: &'static [&'static str],
    pub date: &'static str,
    pub names: &'static [&'static str],
    pub name_templates: &'static [&'static str],
}

pub(super) fn of(language: Lang) -> Usual {
    match language {
        Lang::En => ENGLISH,
        Lang::Es => SPANISH,
        Lang::Cs => CZECH,
    }
}

const ENGLISH: Usual = Usual {
    sentences: &[
        "what are your opening hours", "what are your opening hours please", "hello what are your opening hours",
        "what time do you open", "what time do you close", "when are you open", "are you open on saturday",
        "are you open on sunday", "are you open today", "when do you close on friday", "where are you", "where is the clinic",
        "what is your address", "how do i get there", "can i park there", "is there parking", "is there a car park",
        "where can i park", "is there a lift in the building", "is there wheelchair access", "do you have a lift",
        "how much is it", "how much does it cost", "what does it cost", "how much is a consultation", "what are your prices",
        "can i pay by card", "do you take cards", "do you take insurance", "do you accept insurance", "how long does it take",
        "does it hurt", "what should i do before", "what should i do after", "i'd like to book an appointment",
        "i would like to book an appointment", "i want to book an appointment", "i'd like to make an appointment",
        "can i book an appointment", "can i make an appointment please", "hello i'd like to book an appointment please",
        "i need an appointment", "i want to make an appointment", "could i book an appointment", "book an appointment",
        "an appointment please", "i'd like to come in for a consultation", "i'd like to leave a message",
        "can i leave a message", "leave a message", "take a message", "please call me back", "can somebody call me back",
        "please ring me back", "could you ask someone to call me", "can i speak to a person", "i'd like to speak to a person",
        "a person please", "can i talk to a human", "receptionist please", "can i speak to the doctor",
        "can i speak to someone", "put me through", "yes", "yes please", "yes that's fine", "yes that's perfect",
        "that's perfect", "that works for me", "yes book it", "sure", "okay", "that's right", "no", "no thank you",
        "no thanks", "no that's not good", "no that doesn't work", "i can't make that", "another day", "another time",
        "a different time", "do you have anything else", "anything later", "anything earlier",
        "do you have anything in the afternoon", "thank you", "thank you very much", "thank you goodbye", "goodbye", "bye",
        "that's all", "that's all thank you", "no that's all", "nothing else", "nothing else thank you",
        "no thank you goodbye", "could you repeat that", "say that again", "pardon", "sorry", "what did you say", "never mind",
        "cancel that", "forget it", "stop", "wait", "hold on", "one moment", "no recording", "don't record",
        "i don't want to be recorded", "it's an emergency", "it's not an emergency", "no it's not an emergency",
        "this is not an emergency", "i'm fine", "as soon as possible", "the first available", "any time", "any day",
        "whenever you can", "tomorrow", "today", "next week", "this week", "should i take something for it",
        "can i take painkillers", "is it normal", "is it infected", "i have a question",
        "i have a question about my treatment", "my name is", "my number is", "you can reach me on",
    ],
    emergency_leads: &[
        "", "i have", "i've got", "he has", "she has", "help", "please help", "my husband has", "my mother has",
    ],
    services: &[
        "{}", "a {} please", "i'd like to book a {}", "i would like to book {}", "i'd like an appointment for {}", "book a {}",
        "can i book {}", "i want to book a {} please", "how much is {}", "how much does {} cost", "do you offer {}",
        "do you do {}", "how long does {} take", "i have a question about {}", "is {} painful",
    ],
    times: &[
        "at {}", "at {} o'clock", "at half past {}", "at {} thirty", "at quarter past {}", "at quarter to {}", "at {} a m",
        "at {} p m", "after {}", "before {}", "around {}", "{} please", "at {} fifteen", "ten past {}", "twenty past {}",
        "at {} in the morning", "at {} in the afternoon",
    ],
    days: &[
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "tomorrow", "today",
    ],
    day_templates: &[
        "{}", "on {}", "on {} please", "next {}", "{} morning", "{} afternoon", "{} evening", "on {} morning",
        "on {} afternoon", "how about {}", "can i come on {}", "i can come on {}", "{} would be better", "is {} possible",
        "the day after {}",
    ],
    months: &[
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
        "december",
    ],
    ordinals: &[
        "the first", "the second", "the third", "the fourth", "the fifth", "the sixth", "the seventh", "the eighth",
        "the ninth", "the tenth", "the eleventh", "the twelfth", "the thirteenth", "the fourteenth", "the fifteenth",
        "the sixteenth", "the seventeenth", "the eighteenth", "the nineteenth", "the twentieth", "the twenty first",
        "the twenty second", "the twenty third", "the twenty fourth", "the twenty fifth", "the twenty sixth",
        "the twenty seventh", "the twenty eighth", "the twenty ninth", "the thirtieth", "the thirty first",
    ],
    date: "{day} of {month}",
    names: &[
        "jane smith", "john smith", "mary jones", "david jones", "sarah brown", "james brown", "emma wilson", "robert wilson",
        "anna taylor", "michael taylor", "susan davies", "peter davies", "laura evans", "paul evans", "helen thomas",
        "mark thomas", "karen roberts", "andrew roberts", "linda johnson", "daniel johnson", "lucy walker", "thomas walker",
        "alice white", "george white", "emily hall", "william hall", "sophie green", "charles green", "rachel clark",
        "richard clark", "olivia king", "edward king", "grace baker", "henry baker", "julia martin", "simon martin",
        "kate moore", "steven moore", "maria garcia", "carlos garcia", "eva novak", "jan novak", "claire lewis", "adam lewis",
        "rebecca young", "matthew young", "jessica harris", "joseph harris",
    ],
    name_templates: &[
        "my name is {}", "{}", "it's {}",
    ],
};

const SPANISH: Usual = Usual {
    sentences: &[
        "cuál es el horario", "qué horario tienen", "a qué hora abren", "a qué hora cierran", "están abiertos el sábado",
        "dónde están", "cuál es la dirección", "dónde puedo aparcar", "hay aparcamiento", "hay ascensor", "cuánto cuesta",
        "cuánto vale", "cuál es el precio", "puedo pagar con tarjeta", "aceptan seguros", "cuánto dura", "duele",
        "quiero pedir una cita", "quisiera pedir una cita", "me gustaría reservar una cita", "necesito una cita",
        "quiero reservar", "quiero dejar un mensaje", "que me llamen por favor", "pueden llamarme",
        "quiero hablar con una persona", "una persona por favor", "recepcionista", "sí", "sí por favor", "sí claro", "vale",
        "de acuerdo", "perfecto", "está bien", "no", "no gracias", "no me viene bien", "otro día", "otra hora", "más tarde",
        "más temprano", "gracias", "muchas gracias", "adiós", "nada más", "eso es todo", "hasta luego", "puede repetir",
        "otra vez", "perdón", "espere", "sin grabación", "no quiero que me graben", "es una emergencia",
        "no es una emergencia", "estoy bien", "cuanto antes", "cualquier día", "mañana", "hoy", "pasado mañana",
        "la semana que viene", "mi nombre es", "mi número es", "tengo una pregunta",
    ],
    emergency_leads: &[
        "", "tengo", "tiene", "ayuda", "por favor", "mi marido tiene", "mi madre tiene",
    ],
    services: &[
        "{}", "quiero una cita para {}", "quisiera reservar {}", "cuánto cuesta {}", "hacen {}", "cuánto dura {}",
        "tengo una pregunta sobre {}",
    ],
    times: &[
        "a las {}", "a las {} y media", "a las {} y cuarto", "a las {} menos cuarto", "a las {} de la mañana",
        "a las {} de la tarde", "después de las {}", "antes de las {}", "sobre las {}",
    ],
    days: &[
        "lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo", "mañana", "hoy",
    ],
    day_templates: &[
        "{}", "el {}", "el próximo {}", "el {} por la mañana", "el {} por la tarde", "puede ser el {}", "mejor el {}",
    ],
    months: &[
        "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre",
        "diciembre",
    ],
    ordinals: &[
        "el uno", "el dos", "el tres", "el cuatro", "el cinco", "el seis", "el siete", "el ocho", "el nueve", "el diez",
        "el once", "el doce", "el trece", "el catorce", "el quince", "el dieciséis", "el diecisiete", "el dieciocho",
        "el diecinueve", "el veinte", "el veintiuno", "el veintidós", "el veintitrés", "el veinticuatro", "el veinticinco",
        "el veintiséis", "el veintisiete", "el veintiocho", "el veintinueve", "el treinta",
    ],
    date: "{day} de {month}",
    names: &[
        "maría garcía", "josé lópez", "carmen sánchez", "antonio pérez", "ana martínez", "manuel gonzález", "laura rodríguez",
        "david fernández", "lucía gómez", "javier ruiz", "elena díaz", "carlos moreno",
    ],
    name_templates: &[
        "me llamo {}", "soy {}", "{}",
    ],
};

const CZECH: Usual = Usual {
    sentences: &[
        "jaká je otevírací doba", "kdy máte otevřeno", "do kolika máte otevřeno", "máte otevřeno v sobotu", "kde vás najdu",
        "jaká je adresa", "kde se dá zaparkovat", "máte výtah", "kolik to stojí", "jaká je cena", "mohu platit kartou",
        "jak dlouho to trvá", "bolí to", "chtěla bych se objednat", "chtěl bych se objednat", "chci se objednat",
        "potřebuji termín", "rád bych termín", "ráda bych termín", "chci nechat vzkaz", "mohu nechat vzkaz",
        "zavolejte mi prosím zpátky", "chci mluvit s člověkem", "spojte mě s recepcí", "recepční prosím", "ano", "ano prosím",
        "jo", "dobře", "to se mi hodí", "souhlasím", "ne", "ne děkuji", "nehodí se mi to", "jiný den", "jiný čas", "později",
        "dříve", "děkuji", "na shledanou", "to je všechno", "už nic", "zopakujte to prosím", "ještě jednou", "počkejte",
        "bez nahrávání", "nechci nahrávat", "je to nouze", "není to nouze", "jsem v pořádku", "co nejdříve", "kdykoliv",
        "zítra", "dnes", "pozítří", "příští týden", "jmenuji se", "moje číslo je", "mám dotaz",
    ],
    emergency_leads: &[
        "", "mám", "má", "pomoc", "prosím", "manžel má", "maminka má",
    ],
    services: &[
        "{}", "chci se objednat na {}", "chtěla bych {}", "kolik stojí {}", "děláte {}", "jak dlouho trvá {}",
        "mám dotaz na {}",
    ],
    times: &[
        "v {}", "v {} hodin", "ve {}", "v {} třicet", "po {} hodině", "před {} hodinou", "v {} ráno", "v {} odpoledne",
    ],
    days: &[
        "v pondělí", "v úterý", "ve středu", "ve čtvrtek", "v pátek", "v sobotu", "v neděli", "zítra", "dnes",
    ],
    day_templates: &[
        "{}", "{} dopoledne", "{} odpoledne", "{} ráno", "šlo by to {}", "raději {}",
    ],
    months: &[
        "ledna", "února", "března", "dubna", "května", "června", "července", "srpna", "září", "října", "listopadu", "prosince",
    ],
    ordinals: &[
        "prvního", "druhého", "třetího", "čtvrtého", "pátého", "šestého", "sedmého", "osmého", "devátého", "desátého",
        "jedenáctého", "dvanáctého", "třináctého", "čtrnáctého", "patnáctého", "šestnáctého", "sedmnáctého", "osmnáctého",
        "devatenáctého", "dvacátého", "dvacátého prvního", "dvacátého druhého", "dvacátého třetího", "dvacátého čtvrtého",
        "dvacátého pátého", "dvacátého šestého", "dvacátého sedmého", "dvacátého osmého", "dvacátého devátého", "třicátého",
    ],
    date: "{day} {month}",
    names: &[
        "jan novák", "eva nováková", "petr svoboda", "jana svobodová", "josef dvořák", "marie dvořáková", "tomáš černý",
        "lenka černá", "martin procházka", "hana procházková",
    ],
    name_templates: &[
        "jmenuji se {}", "{}",
    ],
};
