/** The records of the API by the names of the domain, taken from openapi.json (`npm run api`). */
import type { components, paths } from './schema';

type Schemas = components['schemas'];

/** What the server sends: fields that may be left out of a request are always there in an answer. */
type Sent<T> = T extends readonly (infer Item)[] ? Sent<Item>[] : T extends object ? { [K in keyof T]-?: Sent<T[K]> } : T;

export type Lang = Schemas['Lang'];
export type Role = Schemas['Role'];
export type CallStatus = Schemas['CallStatus'];
export type EndCause = Schemas['EndCause'];
export type Outcome = Schemas['Outcome'];
export type CallDirection = Schemas['CallDirection'];
export type EntranceKind = Schemas['EntranceKind'];
export type Channel = NonNullable<NonNullable<paths['/api/search']['get']['parameters']['query']>['channel']>;
export type DocumentState = Schemas['DocumentState'];
export type AppointmentStatus = Schemas['AppointmentStatus'];
export type TaskState = Schemas['TaskState'];
export type SipTransport = Schemas['SipTransport'];
export type IdentityHeader = Schemas['IdentityHeader'];
export type TrunkState = Schemas['TrunkState'];
export type PhoneState = Schemas['PhoneState'];
export type SrtpPolicy = Schemas['SrtpPolicy'];

export type AccountView = Sent<Schemas['AccountView']>;
export type Entrance = Sent<Schemas['Entrance']>;
export type CallView = Sent<Schemas['CallView']>;
export type SessionAnswer = Sent<Schemas['SessionAnswer']>;
export type SessionState = Sent<Schemas['SessionState']>;
export type Dialling = Sent<Schemas['Dialling']>;
export type CallStats = Sent<Schemas['CallStats']>;
export type LiveCall = Sent<Schemas['LiveCall']>;
export type Turn = Sent<Schemas['Turn']>;
export type Waveform = Sent<Schemas['Waveform']>;
export type Task = Sent<Schemas['Task']>;
export type TextMessage = Sent<Schemas['TextMessage']>;
export type Appointment = Sent<Schemas['Appointment']>;
export type OpenSpan = Sent<Schemas['OpenSpan']>;
export type Contact = Sent<Schemas['Contact']>;
export type Service = Sent<Schemas['Service']>;
export type Slot = Sent<Schemas['Slot']>;
/** A document; its content is there only when it was asked for alone. */
export type DocumentView = Sent<Schemas['Document']> & { content?: string };
export type PassageFound = Sent<Schemas['PassageMatch']>;
export type SearchHit = Sent<Schemas['Found']>;
export type SearchPage = Sent<Schemas['SearchPage']>;
export type Clinic = Sent<Schemas['Tenant']>;
export type TrunkView = Sent<Schemas['TrunkView']>;
export type Outbound = Sent<Schemas['Outbound']>;
export type PhoneView = Sent<Schemas['PhoneView']>;
export type PhoneList = Sent<Schemas['PhoneList']>;
export type MusicView = Sent<Schemas['MusicView']>;
export type Ban = Sent<Schemas['Ban']>;
export type BanList = Sent<Schemas['BanList']>;
export type PhoneCredential = Sent<Schemas['PhoneCredential']>;
export type TelnyxView = Sent<Schemas['TelnyxView']>;
export type TelnyxNumber = Sent<Schemas['TelnyxNumber']>;
export type TwilioView = Sent<Schemas['TwilioView']>;
export type TwilioNumber = Sent<Schemas['TwilioNumber']>;
export type AuditEntry = Sent<Schemas['AuditEntry']>;
export type AuditChecked = Sent<Schemas['AuditChecked']>;
export type StorageState = Sent<Schemas['StorageState']>;
export type BackupState = Sent<Schemas['BackupState']>;
export type BackupFile = Sent<Schemas['BackupFile']>;
export type IndexState = Sent<Schemas['IndexState']>;
export type Live = Sent<Schemas['Live']>;

/** One page of a list. */
export interface Page<T> { items: T[]; next?: string | null }

/** An event with its number. Which of the ids are there depends on its type. */
export interface Envelope { seq: number; at: string; type: Schemas['Event']['type']; call?: string | null; turn?: Turn; document?: string; appointment?: string; task?: string; account?: string }
