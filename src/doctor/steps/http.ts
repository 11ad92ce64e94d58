import { DrayError, quote } from '../../errors.ts'
import { describeErrorText } from '../../http/error-body.ts'
import { providerByName } from '../../registry/providers/known-providers.ts'
import { errorCodeOf } from '../../registry/registry-error.ts'
import type { Step } from '../examine.ts'
import { ok, skipped, warning } from '../finding.ts'
import type { Patient, Ping } from '../patient.ts'

/** Whether a registry answers, and whose it is (distribution-spec v1.1 end-1). */
export const http: Step = {
  name: 'http',
  needs: ['tls'],
  async examine(patient) {
    const ping = await patient.ping()
    const fault = faultOf(ping)
    if (fault !== undefined) throw fault
    const { known } = await (await patient.meet()).registry.provider()
    const whose = known.id === 'distribution' ? known.name : `${known.name} (${await toldBy(patient)})`
    const server = ping.headers.get('server') ?? null
    const details = { status: ping.status, server, provider: known.id, version: 'HTTP/1.1' }
    const h2 = (await patient.connect()).tls?.found?.alpn === 'h2' ? '; HTTP/2 is offered too' : ''
    const words = `GET /v2/ is answered ${ping.status} by ${whose}, over HTTP/1.1${h2}`
    if (ping.status !== 403) return ok(words, details)
    return warning(`${words}: ${describeErrorText(ping.text, 403).message}`, { details })
  },
}

async function toldBy(patient: Patient): Promise<string> {
  const { provider, place } = await patient.meet()
  if (provider !== undefined) return 'as configured'
  return providerByName(place.registry) === undefined ? 'by its answer' : 'by its name'
}

/** Why this is no answer of a registry; 401 and 403 are answers. */
function faultOf({ status, headers, url, text }: Ping): DrayError | undefined {
  const { message, code } = describeErrorText(text, status)
  const isPage = /^\s*<(?:!doctype html|html)/i.test(text)
  if (status === 401 || status === 403 || (status === 200 && !isPage)) return undefined
  const what = isPage ? `an HTML page, ${quote(message)}` : message
  const said = `${url.host} answers GET ${url.pathname} with ${what} (${status})`
  const passing = errorCodeOf(status, code) === 'NETWORK'
  if (passing) {
    const retryAfter = headers.get('retry-after')
    return new DrayError('NETWORK', said, {
      status,
      hint: retryAfter === undefined ? 'try again later' : `it asks to wait (Retry-After: ${retryAfter})`,
    })
  }
  return new DrayError('REGISTRY', `${said}: this is no registry`, {
    status,
    hint: "is the name right? a registry's API begins at /v2/ of its host, and a proxy or portal may stand in front of it",
  })
}

/** From so many milliseconds on a clock that is wrong is worth a word: tokens are good for minutes. */
const maxSkewMs = 60_000

/** Whether this machine's clock agrees with the registry's (RFC 9110, section 6.6.1). */
export const clock: Step = {
  name: 'clock',
  needs: ['http'],
  async examine(patient) {
    const { headers, askedAt, answeredAt } = await patient.ping()
    const told = Date.parse(headers.get('date') ?? '')
    if (Number.isNaN(told)) return skipped('the registry does not tell its time')
    // What a cache had told its time when it was new. A time that makes no sense is as good as none (RFC 9111, section 5.1).
    const age = /^\s*(\d{1,9})\s*(?:,|$)/.exec(headers.get('age') ?? '')?.[1] ?? '0'
    const theirs = told + Number(age) * 1000
    const skewMs = Math.round((askedAt + answeredAt) / 2 - theirs)
    const seconds = Math.round(Math.abs(skewMs) / 1000)
    const details = { skewSeconds: Math.round(skewMs / 1000) }
    if (Math.abs(skewMs) < maxSkewMs) return ok(`within ${Math.max(1, seconds)} s of the registry's`, details)
    const way = skewMs > 0 ? 'ahead of' : 'behind'
    return warning(`this machine's clock is ${seconds} s ${way} the registry's`, {
      hint: 'set it (with NTP): certificates and tokens are good for a certain time only',
      details,
    })
  },
}
