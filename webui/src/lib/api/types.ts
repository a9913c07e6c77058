/** The records of the API, by the names of the domain. */
export type Lang = 'en' | 'es' | 'cs';
export type Role = 'AGENT' | 'SUPERVISOR' | 'ADMIN';
export type AccountState = 'invited' | 'active' | 'disabled';
export type CallStatus = 'ringing' | 'with_receptionist' | 'voicemail' | 'ended';
export type EndCause = 'caller_hung_up' | 'clinic_hung_up' | 'cancelled' | 'rejected' | 'no_media' | 'failed' | 'lost';
export type Outcome = 'answered_question' | 'booked' | 'message_taken' | 'emergency' | 'abandoned' | 'voicemail' | 'failed';
export type Speaker = 'caller' | 'receptionist' | 'staff';
export type DocumentState = 'draft' | 'live' | 'retired';
export type AppointmentStatus = 'proposed' | 'booked' | 'arrived' | 'fulfilled' | 'cancelled' | 'noshow';
export type TaskKind = 'message' | 'missed_call' | 'emergency';
export type TaskState = 'open' | 'taken' | 'done' | 'dropped';
export type RecordingState = 'off' | 'refused' | 'recording' | 'stopped';

export interface AccountView { id: string; email: string; name: string; role: Role; language: Lang; state: AccountState; must_change_password: boolean; created_at: string; version: number }
export interface Recording { state: RecordingState; rate_hz: number; length_ms: number; offset_ms: number; gap_ms: number; sha256?: string | null }
export interface CallQuality { answer_ms?: number | null; packets_received: number; packets_lost: number; jitter_ms: number; reply_ms?: number | null }
export interface CallView {
  id: string; from_number: string; to_number: string; status: CallStatus; created_at: string; answered_at?: string | null; ended_at?: string | null;
  cause?: EndCause | null; outcome?: Outcome | null; language: Lang; agent?: string | null; contact?: string | null; conversation: string; recording: Recording;
  emergency: boolean; quality: CallQuality; version: number; contact_name?: string | null; duration_ms: number; last_words: string;
}
export interface LiveCall {
  call: string; from_number: string; name?: string | null; status: CallStatus; language: Lang; created_at: string; answered_at?: string | null;
  emergency: boolean; last_speaker?: Speaker | null; last_words: string;
}
export interface Word { text: string; start_ms: number; end_ms: number }
export interface Turn {
  conversation: string; call: string; index: number; speaker: Speaker; text: string; language: Lang; start_ms: number; end_ms: number; heard: 'full' | 'partly';
  words: Word[]; citations: { document: string; name: string; passage: string }[]; tools: { name: string; ok: boolean; result: string }[]; reply_ms?: number | null; engine: string;
}
export interface Waveform { rate_hz: number; length_ms: number; caller: number[]; clinic: number[] }
export interface Task { id: string; kind: TaskKind; state: TaskState; text: string; name: string; number: string; call?: string | null; contact?: string | null; owner?: string | null; created_at: string; due_at: string; version: number }
export interface Appointment {
  id: string; service: string; service_name: string; resource: string; start: string; end: string; status: AppointmentStatus; held_until?: string | null; contact?: string | null;
  patient_name: string; patient_number: string; call?: string | null; conversation?: string | null; cancel_reason?: string | null; created_at: string; version: number;
}
export interface OpenSpan { weekday: number; from_minute: number; to_minute: number }
export interface Service { id: string; name: string; aliases: string[]; duration_min: number; resource: string; hours: OpenSpan[]; lead_min: number; active: boolean; version: number }
export interface Slot { service: string; resource: string; start: string; end: string }
export interface DocumentView { id: string; name: string; namespace: string; language: Lang; state: DocumentState; content_chars: number; passages: number; created_at: string; updated_at: string; version: number; content?: string }
export interface PassageFound { passage: string; document: string; name: string; heading: string; text: string; score: number }
export interface SearchHit { kind: 'turn' | 'call' | 'passage' | 'contact' | 'appointment' | 'task'; id: string; call?: string | null; at?: string | null; start_ms?: number | null; title: string; snippet: string; highlights: [number, number][]; score: number }
export interface Clinic { id: string; name: string; country: string; zone: string; languages: Lang[]; hours: { open: OpenSpan[] }; record_calls: boolean; version: number }
export interface Page<T> { items: T[]; next?: string | null }

export interface Envelope { seq: number; at: string; type: string; call?: string | null; conversation?: string; turn?: Turn; document?: string; appointment?: string; task?: string; account?: string; [field: string]: unknown }
export type Live =
  | { type: 'call.partial'; call: string; speaker: Speaker; text: string; start_ms: number }
  | { type: 'call.level'; call: string; caller: number; clinic: number };
