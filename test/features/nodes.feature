@concurrent
Feature: Nodes and their control plane

  @CLOUD-2001 @ORCH-3970 @CLOUD-1001
  Scenario: Three nodes register; one is killed and comes back, one ends in order
    Given a control plane that forgets nodes silent for 2500 ms
    And the node "node-a" with a ready pool "chat"
    And the node "node-b" with a ready pool "chat"
    And the node "node-c" with a ready pool "chat"
    Then the control plane comes to know node "node-a" and pool "chat" as ready
    And the control plane comes to know node "node-b" and pool "chat" as ready
    And the control plane comes to know node "node-c" and pool "chat" as ready
    And the control plane knows of node "node-a": its GPUs, its pools, free slots and VRAM
    When the node "node-b" is killed
    And the node "node-c" ends in order
    Then the control plane knows no node "node-c"
    And the control plane takes node "node-b" for lost
    When the node "node-b" is started again
    Then the control plane comes to know node "node-b" and pool "chat" as ready
    And the pool "chat" of node "node-b" still serves

  @CLOUD-10001 @fault-76
  Scenario: A node that is cut off goes on serving and registers again by itself
    Given a control plane
    And the node "node-a" with a ready pool "chat"
    And the control plane comes to know node "node-a" and pool "chat" as ready
    When the control plane is cut off
    Then node "node-a" shows its registration as backingOff
    And the pool "chat" of node "node-a" still serves
    When the control plane is reachable again
    Then node "node-a" shows its registration as registered

  @fault-77
  Scenario: A control plane that forgot everything is registered with again
    Given a control plane
    And the node "node-a" with a ready pool "chat"
    And the control plane comes to know node "node-a" and pool "chat" as ready
    When the control plane forgets everything
    Then the control plane comes to know node "node-a" and pool "chat" as ready

  @ORCH-3010 @CLOUD-3001
  Scenario: What changes is told at once, not at the next heartbeat
    Given a control plane
    And the node "node-a" with a ready pool "chat"
    And the control plane comes to know node "node-a" and pool "chat" as ready
    When the engine of pool "chat" on node "node-a" is killed
    Then the control plane hears that pool "chat" of node "node-a" is not ready
    And the control plane comes to know node "node-a" and pool "chat" as ready
    When the pool "chat" of node "node-a" is ordered to drain
    Then the control plane hears that pool "chat" of node "node-a" is draining

  Scenario: A slow network is no partition
    Given a control plane
    And the node "node-a" with a ready pool "chat"
    And the control plane comes to know node "node-a" and pool "chat" as ready
    When the control plane answers after 300 ms
    And node "node-a" is asked to send a heartbeat
    Then the answer is 200
    And node "node-a" shows its registration as registered

  @AUTH-1001
  Scenario: A refused token is told, and nothing else is disturbed
    Given a control plane
    And the node "node-a" with a ready pool "chat"
    And the control plane comes to know node "node-a" and pool "chat" as ready
    When the control plane refuses every token
    And node "node-a" is asked to register
    Then it is refused with 502 ORCHESTRATOR_UNREACHABLE
    And node "node-a" shows its registration as rejected
    And the pool "chat" of node "node-a" still serves

  Scenario: A node speaks for nobody else
    Given a control plane
    And the node "node-a" with a ready pool "chat"
    When node "node-a" is asked to send a heartbeat as node "node-z"
    Then it is refused with 404 NODE_NOT_FOUND
