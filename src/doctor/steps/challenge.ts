import { DrayError, quote } from '../../errors.ts'
import type { Challenge } from '../../http/challenge.ts'
import { realmOf } from '../../http/token.ts'
import type { Step } from '../examine.ts'
import { type Finding, ok, warning } from '../finding.ts'
import type { Patient } from '../patient.ts'
import { connectionFault } from './connection.ts'

/** How the registry wants to be logged in to, and whether who gives out its tokens can be reached. */
export const challenge: Step = {
  name: 'challenge',
  needs: ['http'],
  async examine(patient) {
    const asked = await patient.challenge()
    if (asked === undefined) return nothingAsked(patient)
    const { scheme, parameters } = asked
    if (scheme === 'bearer') return bearer(patient, asked)
    if (scheme === 'basic') {
      return ok('Basic: a name and a password with each request', {
        scheme,
        realm: parameters.realm ?? null,
        service: parameters.service ?? null,
      })
    }
    throw new DrayError(
      'UNSUPPORTED',
      `${patient.registry} wants a login by ${quote(scheme)}, which is not known here`,
      {
        hint: 'Basic and Bearer are',
      },
    )
  },
}

async function nothingAsked(patient: Patient): Promise<Finding> {
  const details = { scheme: null, realm: null, service: null }
  const { status } = await patient.ping()
  if (status === 200) return ok('none: it asks for no login', details)
  return warning(`it refuses (${status}) and does not say how to log in`, { details })
}

/** A realm at another host is nothing unusual (Docker Hub, GitLab). */
async function bearer(patient: Patient, asked: Challenge): Promise<Finding> {
  const { url, connection } = await patient.meet()
  const realm = realmOf(asked, url)
  const { service } = asked.parameters
  if (realm.origin !== url.origin) {
    const fault = connectionFault(await patient.probe(realm, connection))
    if (fault !== undefined) throw fault
  }
  const whose = service === undefined ? '' : `, for the service ${quote(service)}`
  return ok(`Bearer: tokens are given out by ${realm.host}${whose}`, {
    scheme: 'bearer',
    realm: `${realm.origin}${realm.pathname}`,
    service: service ?? null,
  })
}
