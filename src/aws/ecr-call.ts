import type { AskWebService } from '../web-service.ts'
import { type AwsCall, callAws } from './call.ts'
import type { EcrRegistry } from './ecr-registry.ts'

/** One action of a registry's API at AWS. */
export interface EcrCall extends Pick<AwsCall, 'credentials' | 'now'> {
  readonly registry: EcrRegistry
  /** `GetAuthorizationToken`, `BatchDeleteImage` */
  readonly action: string
  readonly payload?: Readonly<Record<string, unknown>> | undefined
}

const targets = { ecr: 'AmazonEC2ContainerRegistry_V20150921', 'ecr-public': 'SpencerFrontendService' }

/**
 * Calls the API of Amazon ECR (2015-09-21) or of Amazon ECR Public (2020-10-30), whichever the registry belongs to.
 * @throws DrayError as `callAws` does: `NOT_FOUND` for `RepositoryNotFoundException` and the like
 */
export function ecrCall(
  ask: AskWebService,
  { registry, action, payload = {}, ...call }: EcrCall,
): Promise<Record<string, unknown>> {
  const { apiHost: host, region, service } = registry
  return callAws(ask, { ...call, host, region, service, payload, target: `${targets[service]}.${action}` })
}
