import type { RegistrySettings } from '../config/settings.ts'
import type { Transport } from '../http/send.ts'
import type { TraceEvent } from '../http/trace.ts'
import type { RegistryEvent } from '../registry/context.ts'
import type { AskWebService } from '../web-service.ts'
import type { CliContext } from './context.ts'
import type { EndFlags } from './options.ts'

export interface WebServicesOptions {
  readonly context: CliContext
  /** What they say of waiting and trying again counts; what they say of a registry's TLS and login is for that alone. */
  readonly flags: EndFlags
  /** What the configuration says of a host. */
  readonly settings: (host: string) => Promise<RegistrySettings>
  readonly onEvent?: ((event: RegistryEvent) => void) | undefined
  readonly onTrace?: ((event: TraceEvent) => void) | undefined
  /** Gets each transport, which must be closed at the end. */
  readonly onOpen: (transport: Transport) => void
}

/** Asks web services that are no registries, through the proxy and with the CAs of the environment. Nothing is loaded before. */
export function webServices(options: WebServicesOptions): AskWebService {
  const services = new Map<string, Promise<AskWebService>>()
  return async request => {
    const { host } = request.url
    const service = services.get(host) ?? openService(host, options)
    services.set(host, service)
    return (await service)(request)
  }
}

async function openService(host: string, options: WebServicesOptions): Promise<AskWebService> {
  const { context, flags, onEvent, onTrace } = options
  const { env, signal } = context
  const { stack } = await import('../http/message.ts')
  const { defaultRetryPolicy, retry } = await import('../http/retry.ts')
  const { createTransport } = await import('../http/send.ts')
  const { systemClock } = await import('../http/system-clock.ts')
  const { trace } = await import('../http/trace.ts')
  const { webService } = await import('../http/web-service.ts')
  const { proxySettings } = await import('./open-registry.ts')
  const { readTlsFiles } = await import('./tls-files.ts')
  const settings = await options.settings(host)
  const transport = createTransport({
    tls: await readTlsFiles({ flags: {}, settings, certificates: undefined, env }),
    proxy: proxySettings(env),
    timeoutMs: flags.timeout,
    connectTimeoutMs: flags.timeout,
    signal,
  })
  options.onOpen(transport)
  const policy = { ...defaultRetryPolicy, retries: flags.retries ?? defaultRetryPolicy.retries }
  const patient = retry({ policy, clock: systemClock, onEvent })
  return webService(stack(transport.send, patient, ...(onTrace === undefined ? [] : [trace(onTrace)])))
}
