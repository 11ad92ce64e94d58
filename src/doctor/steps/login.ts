import { type DrayError, isDrayError } from '../../errors.ts'
import { ownerOf } from '../../http/token.ts'
import type { Step } from '../examine.ts'
import { type Finding, failed, ok, skipped, warning } from '../finding.ts'
import type { FoundLogin, LoginSearch, Meeting, Patient } from '../patient.ts'
import { missingActions, readClaims, type TokenClaims } from '../token-claims.ts'

/** Which login is used, and where it comes from. */
export const credential: Step = {
  name: 'credential',
  needs: ['configuration'],
  async examine(patient) {
    const { places, found, failure } = await patient.searchLogin()
    const details = { ...describeLogin(found), places }
    if (failure !== undefined) return failed(failure, { details })
    if (found === undefined) return ok('none, so anonymous', details)
    const { user, origin, credential } = found
    const who = user === null ? credential.kind : `${user} (${credential.kind})`
    return ok(`${who}, from ${origin}`, details)
  },
}

function describeLogin(found: LoginSearch['found']) {
  const { user = null, origin = null, for: key = null, credential } = found ?? {}
  return { user, kind: credential?.kind ?? null, origin, for: key }
}

/** Whether the login is accepted, and what a token grants. */
export const token: Step = {
  name: 'token',
  needs: ['challenge', 'credential'],
  async examine(patient) {
    const challenge = await patient.challenge()
    if (challenge === undefined) return skipped('there is no challenge to answer')
    const { found } = await patient.searchLogin()
    return challenge.scheme === 'bearer' ? bearer(patient, found) : basic(patient, found)
  },
}

async function basic(patient: Patient, found: FoundLogin | undefined): Promise<Finding> {
  const { registry } = await patient.meet()
  const hint = `log in with: dray login ${registry.name}`
  if (found === undefined) return skipped('there is no login to try', { hint })
  if (found.credential.kind !== 'basic') {
    return warning('the registry wants a name and a password, and the login is a token', { hint })
  }
  const outcome = await registry.checkLogin(found.credential)
  return ok(outcome === 'accepted' ? `the login of ${found.user} is accepted` : 'the login is not looked at')
}

async function bearer(patient: Patient, found: FoundLogin | undefined): Promise<Finding> {
  const meeting = await patient.meet()
  const { repository } = meeting.place
  const actions = patient.purpose === 'push' ? ['pull', 'push'] : ['pull']
  const scopes = repository === undefined ? [] : [`repository:${repository}:${actions.join(',')}`]
  const hint =
    found === undefined
      ? `log in as someone who has the right: dray login ${meeting.registry.name}`
      : 'the login has no right to the rest, or the name is wrong'
  const ask = async (isAnonymous: boolean) => {
    const value = await meeting.registry.token({ scopes, repository, isAnonymous })
    return judge(value, { repository, actions, now: patient.now(), hint })
  }
  try {
    return await ask(false)
  } catch (error) {
    const mayGoWithout = patient.purpose === 'pull' && found?.isRequired === false
    if (!isDrayError(error, 'UNAUTHORIZED') || !mayGoWithout) throw error
    // What was refused is told then; why nobody else is let in is not.
    const open = await ask(true).catch(() => undefined)
    if (open?.status !== 'ok') throw error
    return staleLogin(error, found, meeting)
  }
}

/** Public images can be pulled all the same: who reads them goes on without the login. */
function staleLogin(error: DrayError, found: FoundLogin, { registry }: Meeting): Finding {
  return warning(`${error.message}; without it, what is public can be pulled`, {
    hint: `log in again with: dray login ${registry.name}, or forget the login${ownerOf(found.credential)} with: dray logout ${registry.name}`,
  })
}

interface Asked {
  readonly repository: string | undefined
  readonly actions: readonly string[]
  /** Milliseconds since 1970. */
  readonly now: number
  /** What to do about a right that is missing. */
  readonly hint: string
}

function judge(value: string, { repository, actions, now, hint }: Asked): Finding {
  const claims = readClaims(value)
  const asked = repository === undefined ? [] : actions
  if (claims === undefined) {
    return ok('a token was given; what it grants only the registry can read', { asked, claims: null })
  }
  const details = { asked, claims }
  const fault = faultOfTime(claims, now)
  if (fault !== undefined) {
    return warning(`the token ${fault}, by this machine's clock`, {
      hint: "is this machine's clock right? see the step clock",
      details,
    })
  }
  const missing = repository === undefined ? [] : missingActions(claims, repository, actions)
  if (missing.length > 0) {
    const granted = actions.filter(action => !missing.includes(action))
    return warning(
      `a token was given, but of ${actions.join(' and ')} it grants ${granted.join(' and ') || 'nothing'}`,
      { hint, details },
    )
  }
  const who = claims.sub ? ` to ${claims.sub}` : ''
  return ok(
    `a token was given${who}${asked.length === 0 ? '' : ` that grants ${asked.join(' and ')}`}`,
    details,
  )
}

function faultOfTime({ exp, nbf }: TokenClaims, now: number): string | undefined {
  if (exp !== undefined && exp * 1000 <= now) return 'is over already'
  return nbf !== undefined && nbf * 1000 > now + 1000 ? 'is not good yet' : undefined
}
