import { isDrayError } from '../../errors.ts'
import { type FaultCode, type FaultOptions, RegistryFault } from '../errors.ts'

/**
 * What a client of ours is told when an upstream could not give what was asked for. Its 401 is never passed on: to log in
 * with us would not help. What is no error of an upstream stays what it is.
 * @param absent the code for what the upstream does not have
 */
export function upstreamFault(name: string, error: unknown, absent: FaultCode): unknown {
  if (!isDrayError(error) || error.code === 'IO') return error
  const { code, status, message } = error
  if (code === 'NOT_FOUND' || code === 'UNSUPPORTED') {
    return new RegistryFault(absent, message, { status: 404, cause: error })
  }
  const say = (fault: FaultCode, why: string, options: FaultOptions = {}) =>
    new RegistryFault(fault, `${name} ${why}: ${message}`, { ...options, cause: error })
  if (code === 'UNAUTHORIZED') {
    // The upstream's words name our login; they are in the log.
    return new RegistryFault('DENIED', `${name} does not give this to us`, { cause: error })
  }
  const headers = retryAfterOf(error)
  if (status === 429) return say('TOOMANYREQUESTS', 'limits our requests', { headers })
  const isLate = code === 'TIMEOUT' || status === 504
  if (code === 'ABORTED') return say('UNKNOWN', 'was not waited for', { status: 503 })
  return say('UNKNOWN', 'failed', { status: isLate ? 504 : 502, headers })
}

/** What a registry said beside its refusal; see `RegistryError`. */
function retryAfterOf(error: Error): Record<string, string> {
  const after = 'retryAfter' in error ? error.retryAfter : undefined
  return typeof after === 'string' && /^[\w ,:]+$/.test(after) ? { 'Retry-After': after } : {}
}
