@concurrent
Feature: Stop

  @fault-20
  Scenario: An engine that obeys is told once and is gone without waiting for its grace
    Given a node
    And the pool "chat" is ready
    And the engine of pool "chat" is noted
    When the pool "chat" is ordered to drain
    Then the pool "chat" becomes offline.stopped because of operator
    And the log of pool "chat" has "cleaning up before exit"
    And the engine of pool "chat" is gone, its port is free and its record removed

  @fault-20 @fault-52
  Scenario: An engine that ignores SIGTERM is told once and killed after its grace
    Given a node
    And the pool "chat" is ready, whose engine ignores SIGTERM
    And the engine of pool "chat" is noted
    When the pool "chat" is ordered to drain
    Then the pool "chat" becomes offline.stopped because of operator
    And the log of pool "chat" has "ignores SIGTERM" exactly once
    And the engine of pool "chat" is gone, its port is free and its record removed

  Scenario: A frozen engine ends too
    Given a node
    And the pool "chat" is ready, whose engine ignores SIGTERM
    And the engine of pool "chat" is noted
    When the engine of pool "chat" is frozen
    And the pool "chat" is ordered to drain within 0 ms
    Then the pool "chat" becomes offline.stopped because of operator
    And the engine of pool "chat" is gone, its port is free and its record removed

  Scenario: A pool that is not there cannot be stopped
    Given a node
    When the pool "nobody" is ordered to drain
    Then it is refused with 404 POOL_NOT_FOUND

  Scenario: A removed pool takes its engine along and is forgotten
    Given a node
    And the pool "chat" is ready
    And the engine of pool "chat" is noted
    When the pool "chat" is removed
    Then it is accepted
    And there is no pool "chat" any more
    And the engine of pool "chat" is gone, its port is free and its record removed

  Scenario: A pool of the file is removed in the file
    Given a node of its own
    And the pool "chat" is ready
    When the pool "chat" is removed
    Then it is refused with 409 ILLEGAL_TRANSITION
    And the answer names "pools.yaml"
    When the pools file no longer has the pool "chat"
    Then there is no pool "chat" any more
    And no engine of the node is left

  Scenario: A daemon that is told to takes its engines along
    Given a node of its own that takes its engines along when it ends
    And the pool "chat" is ready
    And the pool "code" is ready
    When the daemon is told to end
    Then no engine of the node is left
