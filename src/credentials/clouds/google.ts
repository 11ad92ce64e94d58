import * as z from 'zod/mini'
import { readAnswer } from '../../aws/answer.ts'
import type { Cloud, CloudContext, CloudWay, LastingCredential } from './cloud.ts'
import { tradeGoogleKey } from './google-token.ts'

const keyFile = 'GOOGLE_APPLICATION_CREDENTIALS'
const typeSchema = z.object({ type: z.string() })

/**
 * A login at Google's Artifact Registry and Container Registry: a ready access token, or what the file of
 * `GOOGLE_APPLICATION_CREDENTIALS` is good for. The metadata service of Google's machines is left to
 * `docker-credential-gcloud`: no variable says that there is one to be asked.
 */
export function google(context: CloudContext): Cloud {
  return {
    name: 'Google Artifact Registry',
    isFor: registry => /^(?:(?:[a-z0-9-]+\.)?gcr\.io|[a-z0-9-]+\.pkg\.dev)$/.test(registry),
    ways: [
      tokenWay('GOOGLE_OAUTH_ACCESS_TOKEN', context),
      // The name that gcloud reads.
      tokenWay('CLOUDSDK_AUTH_ACCESS_TOKEN', context),
      { variables: [keyFile], find: () => fromKeyFile(context) },
    ],
  }
}

function tokenWay(name: string, { env }: CloudContext): CloudWay {
  return { variables: [name], find: async () => login('oauth2accesstoken', env[name] ?? '') }
}

/** A service account's key is itself the password; what else the file may hold is traded for an access token. */
async function fromKeyFile(context: CloudContext): Promise<LastingCredential | undefined> {
  const { env, readFile, ask } = context
  const text = await readFile(env[keyFile] ?? '')
  const name = `the file of ${keyFile}`
  const { type } = readAnswer(typeSchema, { body: text }, name)
  if (type === 'service_account') return login('_json_key', text)
  if (ask === undefined) return undefined
  const { token, expiresAt } = await tradeGoogleKey({ name, type, text }, { ...context, ask })
  return { ...login('oauth2accesstoken', token), expiresAt }
}

function login(username: string, password: string): LastingCredential {
  return { credential: { kind: 'basic', username, password } }
}
