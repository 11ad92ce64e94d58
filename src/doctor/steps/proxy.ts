import { proxyName } from '../../http/network-error.ts'
import { isExcepted } from '../../http/no-proxy.ts'
import { isOfThisMachine, type ProxySettings, proxyFor } from '../../http/proxy.ts'
import type { Step } from '../examine.ts'
import { ok } from '../finding.ts'

/** Which proxy stands between, or why none does. */
export const proxy: Step = {
  name: 'proxy',
  needs: ['configuration'],
  async examine(patient) {
    const { url, connection } = await patient.meet()
    const used = connection.proxy === undefined ? undefined : proxyFor(url, connection.proxy)
    if (used === undefined) {
      return ok(`none: ${whyNone(url, connection.proxy ?? {})}`, { url: null, variable: null, login: false })
    }
    const login = used.authorization !== undefined
    const who = login ? ', with a user and a password' : ''
    return ok(`${proxyName(used)}${who}`, { url: used.url.href, variable: used.variable, login })
  },
}

function whyNone(url: URL, { http, https, no = '' }: ProxySettings): string {
  if (isOfThisMachine(url)) return 'this machine is reached without one'
  const isTls = url.protocol === 'https:'
  if ((isTls ? https : http) === undefined) return `${isTls ? 'HTTPS_PROXY' : 'HTTP_PROXY'} is not set`
  const entry = no.split(/[\s,]+/).find(each => each !== '' && isExcepted(url, each))
  return `NO_PROXY names ${entry}`
}
