import type { ConfiguredPlace, Setting as ConfiguredValue, RegistrySettings } from '../config/settings.ts'
import type { SearchStep } from '../credentials/credentials.ts'
import { describeCredential } from '../credentials/login.ts'
import { type LoginSearch, type Meeting, Patient, type Purpose, type Setting } from '../doctor/patient.ts'
import { type Connections, flagCredential, flagsFor, refuseIfBlocked } from './connections.ts'
import type { CliContext } from './context.ts'
import { hitOf, searchLogin, whyOf } from './login-search.ts'
import type { Road } from './open-registry.ts'
import type { EndFlags } from './options.ts'
import type { Target } from './target.ts'
import { caFiles, clientFiles, type TlsWishes } from './tls-files.ts'

export interface DoctorPatientOptions {
  readonly target: Target
  readonly purpose: Purpose
  readonly flags: EndFlags
  readonly context: CliContext
  readonly connections: Connections
}

/** Who is asked once too often is no better known: one more try will do. */
const retries = 1

/** What the doctor examines, met as the other verbs meet it. */
export function doctorPatient(options: DoctorPatientOptions): Patient {
  const { target, purpose, context, connections } = options
  const flags = { retries, ...options.flags }
  return new Patient({
    ...target,
    purpose,
    meet: () => meet({ ...options, flags }),
    async searchLogin() {
      const { location } = await readingPlaces(options)
      const place = location?.value ?? target
      const own = flagsFor(place, { flags, target })
      const steps = await searchLogin(place, { flags: own, context, connections })
      return loginSearch(steps, (await flagCredential(own, context)) !== undefined)
    },
  })
}

/** What is read, and that alone, may lie elsewhere than under its name. */
async function readingPlaces({
  target,
  purpose,
  connections,
}: DoctorPatientOptions): Promise<Partial<Pick<RegistrySettings, 'location' | 'mirrors'>>> {
  const settings = await connections.settings(target)
  refuseIfBlocked(target, settings)
  return purpose === 'pull' ? settings : {}
}

async function meet(options: DoctorPatientOptions): Promise<Meeting> {
  const { target } = options
  const { location, mirrors } = await readingPlaces(options)
  const meeting = await open(location?.value ?? target, options)
  const settings = [
    said(location, place => `read from ${nameOf(place)}`),
    said(mirrors, places => `mirrors: ${places.map(nameOf).join(', ')}`),
    ...meeting.settings,
  ]
  return {
    ...meeting,
    settings: settings.filter(setting => setting !== undefined),
    mirrors: (mirrors?.value ?? []).map(mirror => ({
      name: nameOf(mirror),
      isForDigests: mirror.pullFrom === 'digests',
      open: () => open({ ...mirror, repository: mirror.repository ?? target.repository }, options),
    })),
  }
}

async function open(place: ConfiguredPlace, options: DoctorPatientOptions): Promise<Meeting> {
  const { target, connections } = options
  const flags = flagsFor(place, { flags: options.flags, target })
  const { registry, road } = await connections.open(place, flags)
  return {
    place: { ...place, reference: place.digest ?? place.tag },
    registry,
    url: road.url,
    provider: road.wishes.settings.provider?.value,
    connection: road.connection,
    settings: settingsOf(road),
    files: (await connections.config()).files,
    caFiles: caFiles(road.wishes),
    mirrors: [],
  }
}

/** What was said about the way to a registry, the stronger of two only. */
function settingsOf({ wishes, url }: Road): Setting[] {
  const { flags, settings } = wishes
  const all = [
    said(flagged(flags.plainHttp, '--plain-http') ?? settings.plainHttp, value =>
      value === false ? 'TLS' : value === true ? 'plain HTTP' : 'plain HTTP unless it speaks TLS',
    ),
    ...(url.protocol === 'https:' ? tlsSettings(wishes) : []),
    // Their values may be secret.
    said<unknown>(flagged(flags.header, '--header') ?? settings.headers, () => 'headers for it'),
    said(settings.provider, value => `it is ${value}`),
    said(
      flagged(flags.requestsPerSecond, '--requests-per-second') ?? settings.requestsPerSecond,
      value => `${value} requests a second`,
    ),
    said(settings.jobs, value => `${value} transfers at a time`),
  ]
  return all.filter(setting => setting !== undefined)
}

function tlsSettings(wishes: TlsWishes): (Setting | undefined)[] {
  const { flags, settings } = wishes
  const client = clientFiles(wishes)
  return [
    said(flagged(flags.insecure, '--insecure') ?? settings.insecure, value =>
      value ? 'any certificate is accepted' : 'certificates are checked',
    ),
    ...caFiles(wishes).map(({ file, origin }) => ({ what: `CAs of ${file}`, origin })),
    client && { what: `the client certificate ${client.certFile}`, origin: client.origin },
  ]
}

function flagged<Value>(value: Value | undefined, origin: string): ConfiguredValue<Value> | undefined {
  return value === undefined ? undefined : { value, origin }
}

function said<Value>(
  setting: ConfiguredValue<Value> | undefined,
  what: (value: Value) => string,
): Setting | undefined {
  return setting && { what: what(setting.value), origin: setting.origin }
}

function nameOf({ registry, repository }: ConfiguredPlace): string {
  return repository === undefined ? registry : `${registry}/${repository}`
}

function loginSearch(steps: readonly SearchStep[], isGiven: boolean): LoginSearch {
  const hit = hitOf(steps)
  const failure = steps.find(step => step.result === 'failed')
  return {
    places: steps.map(step => ({ place: step.place, result: step.result, why: whyOf(step) ?? null })),
    found: hit && {
      credential: hit.credential,
      isRequired: isGiven,
      user: describeCredential(hit.credential).user ?? null,
      origin: hit.origin,
      for: hit.key ?? null,
    },
    failure: failure?.error,
  }
}
