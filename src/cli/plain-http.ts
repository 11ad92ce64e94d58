import { isDrayError } from '../errors.ts'
import type { Send } from '../http/message.ts'
import type { EndFlags } from './options.ts'
import type { TlsWishes } from './tls-files.ts'
import { version } from './version.ts'

/**
 * Whether a registry is met over plain HTTP: by the flags, else by the configuration, where certificates that are named
 * mean TLS, on loopback too. Undefined leaves it to the registry's name. `unless-tls`: it is to be asked.
 */
export function plainHttpWanted({
  flags,
  settings,
  certificates,
}: TlsWishes): boolean | 'unless-tls' | undefined {
  if (flags.plainHttp !== undefined) return flags.plainHttp
  if (wantsTls(flags)) return false
  if (settings.plainHttp !== undefined) return settings.plainHttp.value
  const { caFile, certFile, insecure } = settings
  const meansTls = wantsTls({ caFile: caFile?.value, certFile: certFile?.value, insecure: insecure?.value })
  return meansTls || certificates !== undefined ? false : undefined
}

/** Asks a registry by one request whether it speaks TLS; a failure of any kind on the way there means no. */
export async function speaksTls(send: Send, url: URL): Promise<boolean> {
  try {
    const request = {
      method: 'GET',
      url: new URL('v2/', url),
      headers: { 'user-agent': `dray/${version}` },
    } as const
    await (await send(request)).discard()
    return true
  } catch (error) {
    if (isDrayError(error, 'NETWORK', 'TIMEOUT')) return false
    throw error
  }
}

type WishesForTls = { readonly [Name in 'caFile' | 'certFile' | 'insecure']?: EndFlags[Name] | undefined }

/** What is said about certificates says that TLS is meant. */
function wantsTls({ caFile, certFile, insecure }: WishesForTls): boolean {
  return caFile !== undefined || certFile !== undefined || insecure === true
}
