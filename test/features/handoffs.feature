@concurrent
Feature: Registry from handoff files
  An engine that somebody else runs is made known by a file, and is never started or ended by this daemon.

  @CLOUD-3001 @MODP-5503
  Scenario: A file attaches a pool, whose memory nobody has proven
    Given a node
    And an engine that somebody else runs
    When its handoff file for pool "guest" comes
    Then the pool "guest" becomes ready
    And the handoff file of pool "guest" is consumed
    And handoff files of pool "guest" were counted as attached
    And the pool "guest" shows
      | origin      | attached |
      | residency   | unproven |
      | engine      | llamacpp |
      | slots_total | 4        |
      | last_error  | null     |

  Scenario: The same file again changes nothing, ready:false takes the pool out, and the next one brings it back
    Given a node
    And an engine that somebody else runs
    When its handoff file for pool "guest" comes
    And the pool "guest" becomes ready
    And its handoff file for pool "guest" comes
    Then the handoff file of pool "guest" is consumed
    And the pool "guest" shows
      | ready    | true |
      | restarts | 0    |
    When its handoff file for pool "guest" says
      | ready | false |
    Then the pool "guest" becomes offline.stopped
    When its handoff file for pool "guest" comes
    Then the pool "guest" becomes ready

  Scenario: Other spellings and missing fields are understood, and free slots are never more than there are
    Given a node
    And an engine that somebody else runs
    When its handoff file for pool "guest" says
      | engine      | llamacpp |
      | device_mask | "0"      |
      | slots_total | 4        |
      | slots_free  | 9        |
    Then the pool "guest" becomes ready
    And the pool "guest" comes to show
      | slots_total | 4 |
      | slots_free  | 4 |

  Scenario Outline: What is no handoff is put aside with the reason, and loses nothing
    Given a node
    And the pool "chat" is ready
    When a handoff file for pool "guest" holds "<text>"
    Then the handoff file of pool "guest" is rejected with a reason beside it
    And the pool "chat" shows
      | ready | true |

    Examples:
      | text           |
      | [1,2,3]        |
      | {'half':       |

  Scenario: A file that names an engine on another machine is put aside
    Given a node
    And an engine on another machine
    When its handoff file for pool "guest" comes
    Then the handoff file of pool "guest" is rejected with a reason beside it

  Scenario: An attached pool takes no orders
    Given a node
    And an engine that somebody else runs
    When its handoff file for pool "guest" comes
    And the pool "guest" becomes ready
    And the pool "guest" is ordered to drain
    Then it is refused with 409 ILLEGAL_TRANSITION
    And the answer names "attached"

  @fault-63
  Scenario: A file for an engine that does not answer makes nothing ready
    Given a node
    And an engine that nobody runs
    When its handoff file for pool "ghost" comes
    Then the handoff file of pool "ghost" is consumed
    And the pool "ghost" shows
      | origin | attached |
      | ready  | false    |

  Scenario: The handoff file of our own engine is read and gone
    Given a node
    And the pool "chat" is ready
    Then handoff files of pool "chat" were counted as accepted
    And no handoff file of pool "chat" has been written
    When the pool "chat" is ordered to drain
    And the pool "chat" becomes offline.stopped
    And the pool "chat" is ordered to start
    Then the pool "chat" becomes ready
    And the pool "chat" shows
      | draining | false |
      | reason   | null  |
