"""The GraphQL documents we send to Dagster's webserver. Not here: what is made of the answers (dagster_runs)."""

JOBS = """
query Jobs($location: String!) {
  workspaceLocationEntryOrError(name: $location) {
    ... on WorkspaceLocationEntry {
      loadStatus
      locationOrLoadError {
        ... on RepositoryLocation { repositories { name jobs { name } } }
        ... on PythonError { message }
      }
    }
    ... on PythonError { message }
  }
}
"""

PARTITIONS = """
query Partitions($params: PipelineSelector!) {
  pipelineOrError(params: $params) {
    __typename
    ... on Pipeline { partitionKeysOrError { partitionKeys } }
  }
}
"""

LAUNCH = """
mutation Launch($parameters: ExecutionParams!) {
  launchRun(executionParams: $parameters) {
    __typename
    ... on LaunchRunSuccess { run { runId status tags { key value } } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on Error { message }
  }
}
"""

RUNS = """
query Runs($tags: [ExecutionTag!]!) {
  runsOrError(filter: {tags: $tags}, limit: 50) {
    ... on Runs { results { runId status tags { key value } } }
    ... on Error { message }
  }
}
"""

RUN = """
query Run($run: ID!) {
  runOrError(runId: $run) {
    __typename
    ... on Run { runId status tags { key value } }
    ... on Error { message }
  }
}
"""

EVENTS = """
query Events($run: ID!, $cursor: String, $limit: Int) {
  logsForRun(runId: $run, afterCursor: $cursor, limit: $limit) {
    ... on EventConnection {
      cursor
      hasMore
      events {
        ... on MessageEvent { message eventType level stepKey }
        ... on MaterializationEvent { assetKey { path } partition }
        ... on ObservationEvent { assetKey { path } partition }
        ... on ExecutionStepFailureEvent { failureMetadata { description } error { message causes { message } } }
        ... on RunFailureEvent { error { message causes { message } } }
      }
    }
    ... on Error { message }
  }
}
"""

TERMINATE = """
mutation Terminate($run: String!, $policy: TerminateRunPolicy!) {
  terminateRun(runId: $run, terminatePolicy: $policy) { __typename }
}
"""
