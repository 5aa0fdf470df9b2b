@concurrent
Feature: Leases
  Work in flight is what the engine says, not what was handed out.

  @ORCH-3017 @fault-53
  Scenario: More requests than slots take all slots and no more
    Given a node
    And the pool "chat" is ready, whose engine writes slowly
    And 3 requests of 10000 tokens are under way at pool "chat"
    Then the pool "chat" comes to show
      | slots_free  | 0 |
      | slots_total | 2 |
    When the clients go away
    Then the pool "chat" comes to show
      | slots_free    | 2 |
      | active_leases | 0 |

  @ORCH-3010
  Scenario: A pool that drains offers no slots
    Given a node
    And the pool "chat" is ready, whose engine writes slowly
    And 1 request of 10000 tokens is under way at pool "chat"
    And the pool "chat" comes to show
      | active_leases | 1 |
    When the pool "chat" is ordered to drain within 3000 ms
    Then the pool "chat" shows
      | ready      | false |
      | draining   | true  |
      | slots_free | null  |

  Scenario: An engine that ends takes its leases along
    Given a node
    And the pool "chat" is ready, whose engine restarts after a minute
    And 1 request of 100000 tokens is under way at pool "chat"
    And the pool "chat" comes to show
      | active_leases | 1 |
    When the engine of pool "chat" is killed
    Then the pool "chat" becomes offline.backingOff
    And the pool "chat" shows
      | active_leases | null |
      | slots_free    | null |

  Scenario: Nobody leases from a pool that is not there
    Given a node
    When somebody asks for the status of pool "nobody"
    Then it is refused with 404 POOL_NOT_FOUND
