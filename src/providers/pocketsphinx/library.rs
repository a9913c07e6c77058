//! The PocketSphinx C library (BSD licence), loaded at run time so that the binary starts without it.
//!
//! The only unsafe code of the workspace. Every pointer that crosses the boundary lives in a [`Decoder`], which owns it,
//! frees it once, and is used by one thread at a time (`&mut self` on every call). Signatures follow Debian 12's
//! `pocketsphinx.h`, `ngram_model.h` and `cmd_ln.h` (0.8+5prealpha); `library()` refuses any other soname by name.
#![allow(unsafe_code)]

use crate::providers::ProviderError;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::Arc;

/// The provider's name in errors.
pub(super) const NAME: &str = "pocketsphinx";

/// The folder of the acoustic model, and its files without which there is none.
const ACOUSTIC: &str = "en-us";
const ACOUSTIC_FILES: [&str; 6] = ["feat.params", "mdef", "means", "variances", "sendump", "transition_matrices"];
/// The dictionary.
const DICTIONARY: &str = "cmudict-en-us.dict";
/// The language model of general English.
pub(super) const GENERAL: &str = "en-us.lm.bin";

/// Kind of language model file that `ngram_model_read` is to guess (`NGRAM_AUTO`).
const NGRAM_AUTO: c_int = 0;

type Opaque = *mut c_void;

/// The functions that we use. The two `Library` values keep their code mapped.
pub(super) struct Sphinx {
    args: unsafe extern "C" fn() -> *const c_void,
    init: unsafe extern "C" fn(Opaque) -> Opaque,
    free: unsafe extern "C" fn(Opaque) -> c_int,
    start_utt: unsafe extern "C" fn(Opaque) -> c_int,
    process_raw: unsafe extern "C" fn(Opaque, *const i16, usize, c_int, c_int) -> c_int,
    end_utt: unsafe extern "C" fn(Opaque) -> c_int,
    get_hyp: unsafe extern "C" fn(Opaque, *mut i32) -> *const c_char,
    seg_iter: unsafe extern "C" fn(Opaque) -> Opaque,
    seg_next: unsafe extern "C" fn(Opaque) -> Opaque,
    seg_word: unsafe extern "C" fn(Opaque) -> *const c_char,
    seg_frames: unsafe extern "C" fn(Opaque, *mut c_int, *mut c_int),
    add_word: unsafe extern "C" fn(Opaque, *const c_char, *const c_char, c_int) -> c_int,
    lookup_word: unsafe extern "C" fn(Opaque, *const c_char) -> *mut c_char,
    get_config: unsafe extern "C" fn(Opaque) -> Opaque,
    get_logmath: unsafe extern "C" fn(Opaque) -> Opaque,
    set_lm: unsafe extern "C" fn(Opaque, *const c_char, Opaque) -> c_int,
    set_search: unsafe extern "C" fn(Opaque, *const c_char) -> c_int,
    cmd_parse: unsafe extern "C" fn(Opaque, *const c_void, i32, *mut *mut c_char, i32) -> Opaque,
    cmd_free: unsafe extern "C" fn(Opaque) -> c_int,
    ngram_read: unsafe extern "C" fn(Opaque, *const c_char, c_int, Opaque) -> Opaque,
    ngram_free: unsafe extern "C" fn(Opaque) -> c_int,
    ngram_set: unsafe extern "C" fn(Opaque, *mut Opaque, *mut *mut c_char, *const f32, i32) -> Opaque,
    mem_free: unsafe extern "C" fn(*mut c_void),
    _libraries: [libloading::Library; 2],
}

impl std::fmt::Debug for Sphinx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sphinx")
    }
}

fn unavailable(reason: impl std::fmt::Display) -> ProviderError {
    ProviderError::Unavailable { provider: NAME, reason: reason.to_string() }
}

impl Sphinx {
    /// Loads the library and the `sphinxbase` that stands beside it, and silences their log.
    ///
    /// # Errors
    /// [`ProviderError::Unavailable`] when a library or one of its functions is missing.
    pub fn load(library: &str) -> Result<Arc<Self>, ProviderError> {
        let base_name = library.replace("pocketsphinx", "sphinxbase");
        // SAFETY: both libraries have no initialisers with side effects on this process; the types below are those of
        // their headers.
        unsafe {
            let base = libloading::Library::new(&base_name).map_err(unavailable)?;
            let main = libloading::Library::new(library).map_err(unavailable)?;
            macro_rules! symbol {
                ($library:ident, $name:literal) => {
                    *$library.get(concat!($name, "\0").as_bytes()).map_err(unavailable)?
                };
            }
            let silence: unsafe extern "C" fn(*mut c_void) = symbol!(base, "err_set_logfp");
            silence(null_mut());
            Ok(Arc::new(Self {
                args: symbol!(main, "ps_args"),
                init: symbol!(main, "ps_init"),
                free: symbol!(main, "ps_free"),
                start_utt: symbol!(main, "ps_start_utt"),
                process_raw: symbol!(main, "ps_process_raw"),
                end_utt: symbol!(main, "ps_end_utt"),
                get_hyp: symbol!(main, "ps_get_hyp"),
                seg_iter: symbol!(main, "ps_seg_iter"),
                seg_next: symbol!(main, "ps_seg_next"),
                seg_word: symbol!(main, "ps_seg_word"),
                seg_frames: symbol!(main, "ps_seg_frames"),
                add_word: symbol!(main, "ps_add_word"),
                lookup_word: symbol!(main, "ps_lookup_word"),
                get_config: symbol!(main, "ps_get_config"),
                get_logmath: symbol!(main, "ps_get_logmath"),
                set_lm: symbol!(main, "ps_set_lm"),
                set_search: symbol!(main, "ps_set_search"),
                cmd_parse: symbol!(base, "cmd_ln_parse_r"),
                cmd_free: symbol!(base, "cmd_ln_free_r"),
                ngram_read: symbol!(base, "ngram_model_read"),
                ngram_free: symbol!(base, "ngram_model_free"),
                ngram_set: symbol!(base, "ngram_model_set_init"),
                mem_free: symbol!(base, "ckd_free"),
                _libraries: [base, main],
            }))
        }
    }
}

/// Whether every file of a model folder is there: cheap, so that it can be told before anything is loaded.
///
/// # Errors
/// [`ProviderError::Unavailable`] with the file that is missing or empty.
pub(super) fn check_model(model: &Path) -> Result<(), ProviderError> {
    let acoustic = ACOUSTIC_FILES.iter().map(|file| model.join(ACOUSTIC).join(file));
    for path in acoustic.chain([model.join(DICTIONARY), model.join(GENERAL)]) {
        let meta = std::fs::metadata(&path)
            .map_err(|error| unavailable(format_args!("{} cannot be read: {error}", path.display())))?;
        if !meta.is_file() || meta.len() == 0 {
            return Err(unavailable(format_args!("{} is empty or no file", path.display())));
        }
    }
    Ok(())
}

/// What a decoder searches for.
#[derive(Clone, Debug)]
pub(super) enum SearchKind {
    /// Words of the whole dictionary; by which language models, [`Decoder::set_models`] says.
    Words,
    /// Phrases of a keyword file, each with its threshold, and a dictionary that has their words: the whole one would cost
    /// tens of megabytes and most of the time it takes to load.
    Phrases { keywords: PathBuf, dictionary: PathBuf },
}

/// One decoder: 16 kHz audio in, hypotheses out.
pub(super) struct Decoder {
    sphinx: Arc<Sphinx>,
    raw: Opaque,
    open: bool,
}

// SAFETY: a decoder has no thread-local state; it may move between threads, and `&mut self` keeps it to one at a time.
unsafe impl Send for Decoder {}

/// A word of a hypothesis with its frames (10 ms each) within the utterance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub word: String,
    pub start_frame: u32,
    pub end_frame: u32,
}

fn c_string(text: &str) -> Result<CString, ProviderError> {
    CString::new(text).map_err(|_| unavailable("a path or word contains a NUL byte"))
}

fn c_path(path: &Path) -> Result<CString, ProviderError> {
    c_string(path.to_str().ok_or_else(|| unavailable("a model path is not UTF-8"))?)
}

impl Decoder {
    /// Makes a decoder with the acoustic model and dictionary of `model` (a folder such as
    /// `/usr/share/pocketsphinx/model/en-us`).
    pub fn new(sphinx: &Arc<Sphinx>, model: &Path, search: &SearchKind) -> Result<Self, ProviderError> {
        let acoustic = model.join(ACOUSTIC);
        let whole = model.join(DICTIONARY);
        let (dictionary, keywords) = match search {
            SearchKind::Words => (&whole, None),
            SearchKind::Phrases { keywords, dictionary } => (dictionary, Some(keywords)),
        };
        // The engine's VAD decides where speech begins and ends; the library's own would cut frames out and shift word times.
        let fixed = ["auricle", "-remove_silence", "no", "-logfn", "/dev/null", "-bestpath", "yes", "-hmm"];
        let mut words = fixed.iter().map(|word| c_string(word)).collect::<Result<Vec<_>, _>>()?;
        words.push(c_path(&acoustic)?);
        words.push(c_string("-dict")?);
        words.push(c_path(dictionary)?);
        if let Some(keywords) = keywords {
            words.push(c_string("-kws")?);
            words.push(c_path(keywords)?);
        }
        let mut argv: Vec<*mut c_char> = words.iter().map(|word| word.as_ptr().cast_mut()).collect();
        // SAFETY: `argv` points at NUL-terminated strings that outlive the call, which copies them; `ps_init` retains the
        // configuration, so our reference is dropped after it.
        let raw = unsafe {
            let argc = i32::try_from(argv.len()).unwrap_or(i32::MAX);
            let config = (sphinx.cmd_parse)(null_mut(), (sphinx.args)(), argc, argv.as_mut_ptr(), 1);
            if config.is_null() {
                return Err(unavailable("its configuration was refused"));
            }
            let raw = (sphinx.init)(config);
            (sphinx.cmd_free)(config);
            raw
        };
        if raw.is_null() {
            return Err(unavailable("its models could not be loaded"));
        }
        Ok(Self { sphinx: Arc::clone(sphinx), raw, open: false })
    }

    /// Whether the dictionary has a word.
    pub fn knows(&mut self, word: &str) -> bool {
        self.phones(word).is_some()
    }

    /// How the dictionary says a word (`JH UW V AH D ER M`), where it has it.
    pub fn phones(&mut self, word: &str) -> Option<String> {
        let word = CString::new(word).ok()?;
        // SAFETY: the result is either NULL or a string that we own, copy and free.
        unsafe {
            let phones = (self.sphinx.lookup_word)(self.raw, word.as_ptr());
            if phones.is_null() {
                return None;
            }
            let text = text_of(phones);
            (self.sphinx.mem_free)(phones.cast());
            Some(text)
        }
    }

    /// Teaches a word by its phones (`JH UW V AH D ER M`). A refused word is simply not recognised.
    pub fn add_word(&mut self, word: &str, phones: &str) -> bool {
        let (Ok(word), Ok(phones)) = (CString::new(word), CString::new(phones)) else { return false };
        // SAFETY: both strings outlive the call, which copies them. The search is rebuilt by the following `set_models`.
        unsafe { (self.sphinx.add_word)(self.raw, word.as_ptr(), phones.as_ptr(), 0) >= 0 }
    }

    /// Searches by several language models at once, interpolated by weight.
    pub fn set_models(&mut self, models: &[(&Path, f32)]) -> Result<(), ProviderError> {
        // SAFETY: the set takes over the references of its models; `ps_set_lm` retains the set, so ours is dropped after it.
        unsafe {
            let config = (self.sphinx.get_config)(self.raw);
            let logmath = (self.sphinx.get_logmath)(self.raw);
            let mut handles: Vec<Opaque> = Vec::new();
            let mut names = Vec::new();
            for (index, (path, _)) in models.iter().enumerate() {
                let file = c_path(path)?;
                let handle = (self.sphinx.ngram_read)(config, file.as_ptr(), NGRAM_AUTO, logmath);
                if handle.is_null() {
                    for handle in handles {
                        (self.sphinx.ngram_free)(handle);
                    }
                    return Err(unavailable(format_args!("the language model {} cannot be read", path.display())));
                }
                handles.push(handle);
                names.push(c_string(&format!("model{index}"))?);
            }
            let weights: Vec<f32> = models.iter().map(|(_, weight)| *weight).collect();
            let mut name_pointers: Vec<*mut c_char> = names.iter().map(|name| name.as_ptr().cast_mut()).collect();
            let count = i32::try_from(handles.len()).unwrap_or(0);
            let set = (self.sphinx.ngram_set)(
                config,
                handles.as_mut_ptr(),
                name_pointers.as_mut_ptr(),
                weights.as_ptr(),
                count,
            );
            if set.is_null() {
                return Err(unavailable("its language models cannot be combined"));
            }
            let search = c"clinic";
            let set_to = (self.sphinx.set_lm)(self.raw, search.as_ptr(), set);
            (self.sphinx.ngram_free)(set);
            if set_to < 0 || (self.sphinx.set_search)(self.raw, search.as_ptr()) < 0 {
                return Err(unavailable("the combined language model was refused"));
            }
        }
        Ok(())
    }

    /// Begins an utterance.
    pub fn start(&mut self) -> Result<(), ProviderError> {
        // SAFETY: `raw` is a live decoder.
        if !self.open && unsafe { (self.sphinx.start_utt)(self.raw) } < 0 {
            return Err(broken("an utterance could not be started"));
        }
        self.open = true;
        Ok(())
    }

    /// Hears audio of the open utterance.
    pub fn process(&mut self, samples: &[i16]) -> Result<(), ProviderError> {
        // SAFETY: pointer and length describe `samples`.
        if self.open && unsafe { (self.sphinx.process_raw)(self.raw, samples.as_ptr(), samples.len(), 0, 0) } < 0 {
            return Err(broken("audio could not be decoded"));
        }
        Ok(())
    }

    /// Ends the utterance; its hypothesis stays readable until the next one starts.
    pub fn end(&mut self) -> Result<(), ProviderError> {
        // SAFETY: `raw` is a live decoder with an open utterance.
        if self.open && unsafe { (self.sphinx.end_utt)(self.raw) } < 0 {
            self.open = false;
            return Err(broken("an utterance could not be ended"));
        }
        self.open = false;
        Ok(())
    }

    /// The best hypothesis so far; empty when there is none.
    pub fn hypothesis(&mut self) -> String {
        // SAFETY: the string belongs to the decoder and is copied before the next call.
        unsafe { text_of((self.sphinx.get_hyp)(self.raw, null_mut())) }
    }

    /// The words of the best hypothesis with their frames.
    pub fn segments(&mut self) -> Vec<Segment> {
        let mut segments = Vec::new();
        // SAFETY: the iterator is walked to its end, which frees it; words are copied before the next step.
        unsafe {
            let mut segment = (self.sphinx.seg_iter)(self.raw);
            while !segment.is_null() {
                let word = text_of((self.sphinx.seg_word)(segment));
                let (mut start, mut end) = (0, 0);
                (self.sphinx.seg_frames)(segment, &raw mut start, &raw mut end);
                segments.push(Segment {
                    word,
                    start_frame: u32::try_from(start).unwrap_or(0),
                    end_frame: u32::try_from(end).unwrap_or(0),
                });
                segment = (self.sphinx.seg_next)(segment);
            }
        }
        segments
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: `raw` came from `ps_init` and is freed once.
        unsafe {
            (self.sphinx.free)(self.raw);
        }
    }
}

fn broken(reason: &str) -> ProviderError {
    ProviderError::Broken { provider: NAME, reason: reason.to_owned() }
}

/// Copies a C string; NULL is empty.
unsafe fn text_of(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: the library returns NUL-terminated strings.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
