import { type Meeting, Patient, type PatientOptions } from '../../src/doctor/patient.ts'
import type { ConnectionProbe } from '../../src/http/probe.ts'
import { Registry } from '../../src/registry/registry.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { type FakeSend, fakeSend, type Script } from '../support/fake-send.ts'

export interface FakePatientOptions extends Partial<PatientOptions> {
  /** What the registry answers; nothing is asked where it is missing. */
  readonly answers?: Script
  /** What the meeting differs in. */
  readonly meeting?: Partial<Meeting>
  readonly probed?: Partial<ConnectionProbe>
}

/** A patient whose registry is played, and what was asked of that. */
export interface FakePatient {
  readonly patient: Patient
  readonly sent: FakeSend
}

/** A way without a proxy to a server of plain HTTP. */
export const straightWay: ConnectionProbe = {
  proxy: undefined,
  dns: { ms: 1, found: { host: 'registry.example', addresses: ['192.0.2.7'] } },
  tcp: { ms: 2, found: { address: '192.0.2.7', port: 443 } },
  tunnel: undefined,
  tls: undefined,
}

const nobody = async () => ({ places: [], found: undefined, failure: undefined })

/** Makes one: `registry.example/team/app:1.0`, to be pulled by nobody, at the beginning of 2026. */
export function fakePatient(options: FakePatientOptions = {}): FakePatient {
  const { answers = [], meeting = {}, probed = {}, searchLogin = nobody, ...others } = options
  const sent = fakeSend(answers)
  const clock = fakeClock()
  const name = 'registry.example'
  const registry = new Registry({
    registry: name,
    send: sent.send,
    findCredential: async () => (await searchLogin()).found?.credential,
    clock,
    retryPolicy: { retries: 0 },
    provider: 'distribution',
  })
  const met: Meeting = {
    place: { registry: name, repository: 'team/app', reference: '1.0' },
    registry,
    url: new URL('https://registry.example/'),
    provider: undefined,
    connection: {},
    settings: [],
    files: [],
    caFiles: [],
    mirrors: [],
    ...meeting,
  }
  const patient = new Patient({
    registry: name,
    purpose: 'pull',
    meet: async () => met,
    searchLogin,
    probe: async () => ({ ...straightWay, ...probed }),
    now: clock.now,
    ...others,
  })
  return { patient, sent }
}
