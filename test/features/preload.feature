@concurrent
Feature: Preload

  @ORCH-3002 @OC-POOL-3001
  Scenario: Pools are started with the daemon and are ready only then
    Given a node of its own
    And the pool "chat" whose engine loads for two seconds
    And the pool "later" whose engine is not to be started
    When the daemon starts
    Then the pool "chat" has a run record, and is not yet healthy
    And no handoff file of pool "chat" has been written
    And the pool "chat" becomes ready
    And within the events of pool "chat" come, in order
      | provisioning     |
      | starting.admitting |
      | starting.spawning |
      | starting.loading |
      | starting.proving |
      | ready            |
    And the pool "later" shows
      | state  | uninitialized |
      | wanted | down          |
      | live   | false         |

  Scenario: A pool is started by an order, and once more changes nothing
    Given a node
    And the pool "chat" whose engine is not to be started
    When the pool "chat" is ordered to start
    Then it is accepted
    And the pool "chat" becomes ready
    Given the engine of pool "chat" is noted
    When the pool "chat" is ordered to start
    Then it is accepted
    And the engine of pool "chat" is still the same

  Scenario: A declaration is taken over the API, and refused a second time
    Given a node
    And the pool "chat" is ready
    When the pool "chat" is declared once more
    Then it is refused with 409 POOL_EXISTS

  Scenario: The path alone says which pool is meant
    Given a node
    And the pool "chat" whose engine is not to be started
    When the pool "chat" is ordered to start with
      | pool_id | other |
    Then it is refused with 400 INVALID_PARAMS
    And the answer names "pool_id"
    And the pool "chat" shows
      | state | uninitialized |

  Scenario Outline: What cannot be started fails with its cause, cleans up, and is told
    Given a node
    And the pool "chat" whose engine <manner>
    Then the pool "chat" becomes <state> because of <reason>
    And the pool "chat" has no run record
    And the last error of pool "chat" is <reason>
    And the pool "chat" shows
      | live     | false |
      | endpoint | null  |

    Examples:
      | manner                           | state              | reason          |
      | is not installed                 | offline.failed     | engine_missing  |
      | serves a model that is not there | offline.failed     | model_missing   |
      | fails its load                   | offline.backingOff | engine_exited   |
      | stalls while it loads            | offline.backingOff | start_stalled   |
      | loads for longer than it may     | offline.backingOff | start_timeout   |
      | runs on a GPU that is not there  | offline.blocked    | gpu_missing     |

  @ORCH-3039
  Scenario Outline: VRAM that ran out is told apart from host memory that did
    Given a node
    And the pool "chat" whose engine <manner>
    Then the pool "chat" becomes <state> because of <reason>

    Examples:
      | manner                  | state              | reason                   |
      | runs out of VRAM        | offline.failed     | cuda_oom                 |
      | runs out of host memory | offline.backingOff | insufficient_host_memory |

  @ORCH-3016 @fault-48
  Scenario: An engine that loads and gets on is left alone; the pool is not ready meanwhile
    Given a node
    And the pool "chat" whose engine loads for two seconds
    When the pool "chat" becomes starting.loading
    Then the pool "chat" shows
      | ready | false |
      | live  | true  |
    And the pool "chat" becomes ready
    And the pool "chat" shows
      | restarts | 0 |

  Scenario: Two pools have nothing in common but the daemon, which answers while one loads
    Given a node
    And the pool "chat" is ready
    And the pool "code" is ready
    And the pool "slow" whose engine is never healthy
    When the pool "slow" becomes starting.loading
    Then the daemon answers within 1000 ms
    And the pools "chat" and "code" have their own process, port and log

  @ORCH-3003 @OC-POOL-3002
  Scenario: What does not fit into VRAM is refused before there is a process, with the numbers
    Given a node of its own with 1 simulated GPU of 1 GiB
    And the pool "chat" is ready
    And the pool "code"
    Then the pool "code" becomes offline.blocked because of insufficient_vram
    And the pool "code" has no run record
    When the pool "code" is ordered to start
    Then it is refused with 503 POOL_UNAVAILABLE
    And the answer says when to try again
    And the answer names "need_bytes"
    When the pool "chat" is ordered to drain
    Then the pool "code" becomes ready
