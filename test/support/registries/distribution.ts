import { answerJson, basicLogin, type Emulate, forward } from './emulation.ts'

const host = 'registry.example.com'
const credential = { kind: 'basic', username: 'dev', password: 's3cret' } as const

/**
 * distribution 2.x with `Basic realm="…"`: a `DELETE` by tag is 400 DIGEST_INVALID, and tag lists come whole, whatever `n`
 * says.
 */
export const distribution: Emulate = store => ({
  name: 'distribution 2.x',
  registry: host,
  repository: 'team/app',
  credential,
  expects: { catalog: 'open', deleteTag: 'refused', deleteImage: 'yes' },
  hosts: {
    [host]: async (request, response) => {
      const login = basicLogin(request)
      if (login?.username !== credential.username || login.password !== credential.password) {
        const error = { code: 'UNAUTHORIZED', message: 'authentication required', detail: null }
        const headers = { 'www-authenticate': 'Basic realm="Registry Realm"' }
        return answerJson(response, 401, { errors: [error] }, headers)
      }
      const [path = '', query] = (request.url ?? '').split('?')
      const tag = /\/manifests\/([^:]+)$/.exec(path)
      if (request.method === 'DELETE' && tag !== null) {
        const error = { code: 'DIGEST_INVALID', message: 'provided digest did not match uploaded content' }
        return answerJson(response, 400, { errors: [error] })
      }
      const isList = path.endsWith('/tags/list') && query !== undefined
      await forward(store, [request, response], { path: isList ? path : request.url })
    },
  },
})
