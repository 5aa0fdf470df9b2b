@concurrent
Feature: Pool status

  @ORCH-3010 @ORCH-3970 @CLOUD-5001
  Scenario: A pool that serves tells all that a control plane needs
    Given a node
    And the pool "chat" is ready
    Then the pool "chat" shows
      | live          | true          |
      | ready         | true          |
      | draining      | false         |
      | wanted        | up            |
      | slots_total   | 2             |
      | slots_free    | 2             |
      | active_leases | 0             |
      | device_mask   | "0"             |
      | residency     | simulated     |
      | restarts      | 0             |
      | reason        | null          |
      | last_error    | null          |
      | origin        | api           |
    And the pool "chat" comes to show
      | engine_version | 0.0.0-stub |

  Scenario: A pool that nobody declared is named in the refusal
    Given a node
    When somebody asks for the status of pool "nobody"
    Then it is refused with 404 POOL_NOT_FOUND
    And the answer names "nobody"

  Scenario: The spelling of orchestratord's client is answered too
    Given a node
    And the pool "chat" is ready
    When an orchestratord asks for the status of pool "chat"
    Then the answer is 200
    And the answer has
      | live          | true |
      | ready         | true |
      | active_leases | 0    |
      | slots_total   | 2    |
      | slots_free    | 2    |

  Scenario: What is not known is null and never 0
    Given a node
    And the pool "chat" whose engine is never healthy
    When the pool "chat" becomes starting.loading
    Then the pool "chat" shows
      | ready         | false |
      | live          | true  |
      | slots_free    | null  |
      | active_leases | null  |
      | last_error    | null  |

  @ORCH-3017
  Scenario: Work in the engine takes slots, and frees them as it ends
    Given a node
    And the pool "chat" is ready, whose engine writes slowly
    And 1 request of 10000 tokens is under way at pool "chat"
    Then the pool "chat" comes to show
      | active_leases | 1 |
      | slots_free    | 1 |
    When the clients go away
    Then the pool "chat" comes to show
      | active_leases | 0 |
      | slots_free    | 2 |
