import { webService } from '../../http/web-service.ts'
import type { RegistryContext } from '../context.ts'
import { findProvider, pingAnswer } from './known-providers.ts'
import type { KnownProvider, Provider, ProviderAccess } from './provider.ts'

/** A registry's provider, its own ways loaded, and what these work with. */
export interface OpenProvider {
  readonly known: KnownProvider
  readonly provider: Provider
  readonly access: ProviderAccess
}

/** Finds out whose registry it is (`findProvider`) and loads what it alone can do. */
export async function openProvider(context: RegistryContext): Promise<OpenProvider> {
  const known = await findProvider(context)
  const { registry, url, send, plain, findCredential, env, learnt } = context
  learnt.tokens ??= new Map()
  // What was only said to be a registry of the provider's has another's login, and other images.
  const isForeign = known.hasApiElsewhere === true && known.isHost?.(registry) !== true
  return {
    known,
    provider: (isForeign ? undefined : await known.load?.()) ?? {},
    access: {
      registry,
      url,
      send,
      ping: () => pingAnswer(context),
      ask: webService(plain),
      findCredential,
      env,
      tokens: learnt.tokens,
    },
  }
}
