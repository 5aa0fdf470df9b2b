@concurrent
Feature: Drain

  @fault-50 @ORCH-3038
  Scenario: Work in flight finishes before the engine is ended
    Given a node
    And the pool "chat" is ready, whose engine writes slowly
    And 2 requests of 12 tokens are under way at pool "chat"
    And the pool "chat" comes to show
      | active_leases | 2 |
    When the pool "chat" is ordered to drain
    Then it is accepted
    And the answer has
      | draining | true  |
      | ready    | false |
      | wanted   | down  |
    And every request comes to its end
    And the pool "chat" becomes offline.stopped because of operator
    And the metric of forced drains of pool "chat" is 0
    And a drain of pool "chat" was timed

  @fault-51
  Scenario: At its deadline the drain is forced, and that is counted
    Given a node
    And the pool "chat" is ready, whose engine writes slowly
    And 1 request of 10000 tokens is under way at pool "chat"
    And the pool "chat" comes to show
      | active_leases | 1 |
    When the pool "chat" is ordered to drain within 500 ms
    Then the pool "chat" becomes offline.stopped because of operator
    And the request is cut
    And the metric of forced drains of pool "chat" is 1

  Scenario: An idle pool is drained at once, and stays down
    Given a node
    And the pool "chat" is ready
    When the pool "chat" is ordered to drain within 60000 ms
    Then the pool "chat" becomes offline.stopped because of operator
    When the pool "chat" is ordered to drain
    Then it is accepted
    And the pool "chat" shows
      | wanted | down |

  @ORCH-3038
  Scenario: A drain is taken back while work is in flight, and the pool serves as before
    Given a node
    And the pool "chat" is ready, whose engine writes slowly
    And the engine of pool "chat" is noted
    And 1 request of 25 tokens is under way at pool "chat"
    And the pool "chat" comes to show
      | active_leases | 1 |
    When the pool "chat" is ordered to drain
    And the pool "chat" is ordered to resume
    Then it is accepted
    And the pool "chat" becomes ready
    And every request comes to its end
    And the engine of pool "chat" is still the same

  Scenario: A pool that does not drain has nothing to resume
    Given a node
    And the pool "chat" is ready
    When the pool "chat" is ordered to resume
    Then it is refused with 409 ILLEGAL_TRANSITION
    And the answer names "ready.healthy"
    And the answer names "accepts"

  @fault-26
  Scenario: A drain outlives the daemon, and so does its order
    Given a node of its own
    And the pool "chat" is ready, whose engine writes slowly
    And 1 request of 10000 tokens is under way at pool "chat"
    And the pool "chat" comes to show
      | active_leases | 1 |
    When the pool "chat" is ordered to drain within 2500 ms
    Then it is accepted
    When the daemon is killed
    And the daemon starts
    Then the pool "chat" becomes offline.stopped
    And the metric of forced drains of pool "chat" is 1
    And the pool "chat" shows
      | wanted | down |
