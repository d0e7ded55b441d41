//! Every word that a page shows, in every language, in one place.
//!
//! A text is a method of [`Language`]; its arguments stand in both versions by name, so that no language can lack one. Sentences
//! are whole: none is glued together from parts, since another language would order them differently.

use super::Language;

macro_rules! texts {
    ($($name:ident($($argument:ident),*) $en:literal, $de:literal;)+) => {
        impl Language { $(
            #[doc = $en]
            #[must_use]
            pub fn $name(self $(, $argument: &str)*) -> String {
                match self {
                    Self::English => format!($en),
                    Self::German => format!($de),
                }
            }
        )+ }
    };
}

// around every page
texts! {
    sealed()
        "Credentials are kept sealed by Mooring",
        "Zugangsdaten werden von Mooring versiegelt aufbewahrt";
    request(id)
        "Request {id}",
        "Anfrage {id}";
    everyone(app)
        "everyone in {app}",
        "alle in {app}";
    start_again()
        "Start again",
        "Neu beginnen";
    try_again()
        "Try again",
        "Noch einmal versuchen";
    close_window()
        "Close this window",
        "Fenster schließen";
}

// the window that an app's page opens
texts! {
    start_title()
        "One moment",
        "Einen Moment";
    start_text()
        "You are on your way to the provider.",
        "Es geht gleich weiter zum Anbieter.";
    start_failed()
        "This window can't go on",
        "Dieses Fenster kann nicht weiter";
    start_failed_text()
        "It has to be opened from the app. Close it, go back to the app and try again.",
        "Es muss aus der App geöffnet werden. Schließen Sie es, gehen Sie zurück zur App und versuchen Sie es noch einmal.";
    start_without_script()
        "This window needs JavaScript to go on. Close it and go back to the app.",
        "Dieses Fenster braucht JavaScript. Schließen Sie es und gehen Sie zurück zur App.";
    start_form_text()
        "This is needed to connect your account.",
        "Das wird gebraucht, um Ihr Konto zu verbinden.";
    start_done_text()
        "This window closes by itself.",
        "Dieses Fenster schließt sich von selbst.";
}

// the frame over an app's page
texts! {
    close()
        "Close",
        "Schließen";
    back()
        "Back",
        "Zurück";
    name_label()
        "Name",
        "Name";
    name_help()
        "Optional: what to call this connection.",
        "Freiwillig: wie diese Verbindung heißen soll.";
    waiting_heading(connector)
        "Go on at {connector}",
        "Weiter geht es bei {connector}";
    waiting_text()
        "A window has opened for that. As soon as you are finished there, you can go on here.",
        "Dafür hat sich ein Fenster geöffnet. Sobald Sie dort fertig sind, geht es hier weiter.";
    open_again()
        "Open it again",
        "Noch einmal öffnen";
    frame_done_text(app, connector)
        "{app} can now work with your account at {connector}.",
        "{app} kann jetzt mit Ihrem Konto bei {connector} arbeiten.";
    ended_denied()
        "You did not agree, so nothing was connected. If that was a mistake, try again.",
        "Sie haben nicht zugestimmt, also wurde nichts verbunden. Falls das ein Versehen war, versuchen Sie es noch einmal.";
    ended_expired()
        "It took too long, so nothing was connected.",
        "Es hat zu lange gedauert, also wurde nichts verbunden.";
    ended_closed()
        "The window was closed before anything was connected.",
        "Das Fenster wurde geschlossen, bevor etwas verbunden war.";
    ended_blocked()
        "The browser blocked the window. Allow windows for this page, then try again.",
        "Der Browser hat das Fenster blockiert. Erlauben Sie Fenster für diese Seite und versuchen Sie es noch einmal.";
    ended_failed(code)
        "Something went wrong on the way ({code}), so nothing was connected. Please try again in a few minutes.",
        "Unterwegs ist etwas schiefgegangen ({code}), also wurde nichts verbunden. Bitte versuchen Sie es in einigen Minuten noch einmal.";
    stopped_heading()
        "You can't connect here just now",
        "Hier lässt sich gerade nichts verbinden";
    stopped_not_framed()
        "This page is a part of an app. Open the app and connect from there.",
        "Diese Seite ist Teil einer App. Öffnen Sie die App und verbinden Sie von dort.";
    stopped_origin(origin)
        "Pages of {origin} may not open this. Its developers have to add that origin to the project's allowed origins.",
        "Seiten von {origin} dürfen das nicht öffnen. Wer sie entwickelt, muss diesen Ursprung bei den erlaubten des Projekts eintragen.";
    stopped_session()
        "The session has ended. Close this, reload the app's page and try again.",
        "Die Sitzung ist abgelaufen. Schließen Sie das, laden Sie die Seite der App neu und versuchen Sie es noch einmal.";
    stopped_no_session()
        "The app did not hand over a session. Log in there and try again; if it stays so, tell its developers.",
        "Die App hat keine Sitzung übergeben. Melden Sie sich dort an und versuchen Sie es noch einmal; wenn es so bleibt, sagen Sie es denen, die sie entwickeln.";
    stopped_unreachable()
        "The server does not answer. Check that you are online and try again.",
        "Der Server antwortet nicht. Prüfen Sie, ob Sie online sind, und versuchen Sie es noch einmal.";
}

// opening a link
texts! {
    continue_title()
        "Connect an account",
        "Ein Konto verbinden";
    continue_text()
        "This link works once, in the browser that continues here.",
        "Dieser Link gilt einmal, und zwar in dem Browser, der hier fortfährt.";
    continue_button()
        "Continue",
        "Weiter";
    framed_title()
        "Continue in a new window",
        "In einem neuen Fenster fortfahren";
    framed_text(app)
        "{app} opens its connection page in a window of its own, so that you can see where you are.",
        "{app} öffnet die Verbindungsseite in einem eigenen Fenster, damit Sie sehen, wo Sie sind.";
    framed_done_title()
        "Done",
        "Fertig";
    framed_done_text(app)
        "You are finished in the other window and can go on in {app}.",
        "Im anderen Fenster ist alles erledigt. Sie können in {app} weiterarbeiten.";
}

// the list of what may be connected
texts! {
    choose_title(app)
        "Connect to {app}",
        "Mit {app} verbinden";
    choose_heading(app)
        "What would you like to connect to {app}?",
        "Was möchten Sie mit {app} verbinden?";
    choose_empty(app)
        "{app} has nothing to connect yet. Its developers can enable connectors for this project.",
        "{app} hat noch nichts zum Verbinden. Wer es entwickelt, kann Konnektoren für dieses Projekt freischalten.";
    search()
        "Search",
        "Suchen";
    category()
        "Category",
        "Kategorie";
    category_all()
        "All",
        "Alle";
    category_every()
        "All categories",
        "Alle Kategorien";
    no_match()
        "Nothing here goes by that name.",
        "Nichts hier heißt so.";
    show_all()
        "Show all",
        "Alle zeigen";
    connected_as(account)
        "Connected as {account}",
        "Verbunden als {account}";
    connected_unnamed()
        "Connected",
        "Verbunden";
    needs_renewal(account)
        "{account} has to be renewed",
        "{account} muss erneuert werden";
    needs_renewal_unnamed()
        "Has to be renewed",
        "Muss erneuert werden";
    and_more(count)
        "and {count} more",
        "und {count} weitere";
    connect()
        "Connect",
        "Verbinden";
    connect_named(connector)
        "Connect {connector}",
        "{connector} verbinden";
    renew()
        "Renew",
        "Erneuern";
    renew_named(connector)
        "Renew {connector}",
        "{connector} erneuern";
    add_account()
        "Add account",
        "Konto hinzufügen";
    add_account_named(connector)
        "Add account at {connector}",
        "Konto hinzufügen bei {connector}";
    back_to_list()
        "All connectors",
        "Alle Konnektoren";
}

// one connector's page
texts! {
    connect_heading(connector, app)
        "Connect {connector} to {app}",
        "{connector} mit {app} verbinden";
    renew_heading(connector)
        "Renew the connection to {connector}",
        "Die Verbindung zu {connector} erneuern";
    by_consent(connector, app)
        "You will be asked at {connector} to let {app} work with your account there.",
        "Sie werden bei {connector} gefragt, ob {app} mit Ihrem Konto dort arbeiten darf.";
    by_key(connector, app)
        "{app} will use what you enter here to work with your account at {connector}, without getting to see it.",
        "{app} arbeitet mit dem, was Sie hier eingeben, in Ihrem Konto bei {connector}, bekommt es aber nicht zu sehen.";
    renewed_account(account)
        "Use {account} again. Another account needs a connection of its own.",
        "Verwenden Sie wieder {account}. Ein anderes Konto braucht eine eigene Verbindung.";
    for_whom()
        "For",
        "Für";
    go_to(connector)
        "Continue to {connector}",
        "Weiter zu {connector}";
    where_to_find(connector)
        "Where to find this at {connector}",
        "Wo Sie das bei {connector} finden";
    opens_new_window()
        "opens a new window",
        "öffnet ein neues Fenster";
    show(label)
        "Show {label}",
        "{label} zeigen";
    hide(label)
        "Hide {label}",
        "{label} verbergen";
    show_short()
        "Show",
        "Zeigen";
    hide_short()
        "Hide",
        "Verbergen";
}

// what is wrong with what was typed
texts! {
    check_fields()
        "Please check what is marked below.",
        "Bitte prüfen Sie, was unten markiert ist.";
    is_missing()
        "Please fill this in.",
        "Bitte ausfüllen.";
    is_not_offered()
        "Please choose one of the values offered.",
        "Bitte wählen Sie einen der angebotenen Werte.";
    is_too_long()
        "Please enter one line that is not quite so long.",
        "Bitte geben Sie eine Zeile ein, die nicht ganz so lang ist.";
    is_of_another_form(connector)
        "{connector} writes this differently. Copy it anew, without anything around it.",
        "{connector} schreibt das anders. Kopieren Sie es neu, ohne etwas davor oder dahinter.";
    enter_again()
        "Please enter it again: it was not kept.",
        "Bitte noch einmal eingeben: Es wurde nicht behalten.";
    optional()
        "(optional)",
        "(freiwillig)";
    key_is_no_key()
        "This is no private key. It begins with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----.",
        "Das ist kein privater Schlüssel. Er beginnt mit -----BEGIN PRIVATE KEY----- und endet mit -----END PRIVATE KEY-----.";
    key_is_public()
        "This is a certificate or a public key. The private key is needed.",
        "Das ist ein Zertifikat oder ein öffentlicher Schlüssel. Gebraucht wird der private Schlüssel.";
    key_is_encrypted()
        "This key is protected by a passphrase. Please enter it without one.",
        "Dieser Schlüssel ist mit einem Kennwort geschützt. Bitte geben Sie ihn ohne Kennwort ein.";
    key_is_of_another_kind(algorithm)
        "This is a key of another kind. A key for {algorithm} is needed.",
        "Das ist ein Schlüssel anderer Art. Gebraucht wird ein Schlüssel für {algorithm}.";
    key_is_half()
        "Half of this key is missing. Please have it made anew, or exported whole.",
        "Diesem Schlüssel fehlt eine Hälfte. Bitte lassen Sie ihn neu erzeugen oder vollständig ausgeben.";
    key_is_of_a_wrong_size()
        "This key is too short or too long. It needs 2048 to 4096 bits.",
        "Dieser Schlüssel ist zu kurz oder zu lang. Er braucht 2048 bis 4096 Bit.";
    key_is_damaged()
        "This key is damaged. Please check that it was copied whole.",
        "Dieser Schlüssel ist beschädigt. Prüfen Sie, ob er vollständig kopiert ist.";
    not_accepted(connector)
        "{connector} does not accept this. Check that it was copied whole, and that it is still valid there.",
        "{connector} nimmt das nicht an. Prüfen Sie, ob es vollständig kopiert und dort noch gültig ist.";
    not_allowed(connector)
        "{connector} knows this, but does not let it read the account. Give it more rights there, or make a new one.",
        "{connector} kennt das, lässt damit aber das Konto nicht lesen. Geben Sie ihm dort mehr Rechte oder legen Sie ein neues an.";
    not_there(connector)
        "{connector} finds no such account. Check the names that you entered.",
        "{connector} findet kein solches Konto. Prüfen Sie die Namen, die Sie eingegeben haben.";
    too_often(connector)
        "{connector} has been asked too often just now. Wait a minute and try again.",
        "{connector} wurde gerade zu oft gefragt. Warten Sie eine Minute und versuchen Sie es noch einmal.";
    provider_silent(connector)
        "{connector} does not answer at the moment. Nothing was saved; please try again in a few minutes.",
        "{connector} antwortet gerade nicht. Es wurde nichts gespeichert; bitte versuchen Sie es in einigen Minuten noch einmal.";
    provider_odd(connector)
        "{connector} did not answer as expected. Nothing was saved; please try again in a few minutes.",
        "{connector} hat nicht wie erwartet geantwortet. Es wurde nichts gespeichert; bitte versuchen Sie es in einigen Minuten noch einmal.";
    provider_said(said)
        "The answer was: {said}",
        "Die Antwort war: {said}";
}

// the person's own word
texts! {
    confirm_title()
        "Confirm the connection",
        "Die Verbindung bestätigen";
    confirm_heading(app)
        "Connect this account to {app}?",
        "Dieses Konto mit {app} verbinden?";
    provider()
        "Provider",
        "Anbieter";
    account()
        "Account",
        "Konto";
    account_untold()
        "not told by the provider",
        "vom Anbieter nicht genannt";
    app_label()
        "App",
        "App";
    confirm_text(whom, app)
        "{whom} will be able to use this account in {app}.",
        "{whom} kann dieses Konto dann in {app} benutzen.";
    confirm_warning()
        "If somebody sent you here and that is not you, cancel.",
        "Wenn Ihnen jemand diesen Link geschickt hat und das nicht Sie sind, brechen Sie ab.";
    pick_text(connector, app)
        "Your account at {connector} reaches more than one. {app} will work with the one that you choose.",
        "Mit Ihrem Konto bei {connector} ist mehr als eines zu erreichen. {app} arbeitet mit dem, was Sie auswählen.";
    pick_named(title, small)
        "Which {small}?",
        "{title} auswählen";
    pick_one()
        "Which one?",
        "Bitte auswählen";
    pick_fault()
        "Choose one of these to go on.",
        "Bitte wählen Sie hier etwas aus, damit es weitergeht.";
    pick_failed(connector)
        "{connector} could not take this choice. Choose another, or try again in a few minutes.",
        "{connector} konnte diese Auswahl nicht annehmen. Wählen Sie etwas anderes oder versuchen Sie es in einigen Minuten noch einmal.";
    exchange_heading()
        "Change to another account?",
        "Zu einem anderen Konto wechseln?";
    account_before()
        "So far",
        "Bisher";
    account_now()
        "From now on",
        "Ab jetzt";
    exchange_text(old, new, app)
        "This connection belongs to {old}. If you go on, {app} works with {new} in its place, wherever it used {old} before.",
        "Diese Verbindung gehört zu {old}. Wenn Sie fortfahren, arbeitet {app} stattdessen mit {new}, und zwar überall, wo es bisher {old} war.";
    exchange_button()
        "Change account",
        "Konto wechseln";
    cancel()
        "Cancel",
        "Abbrechen";
}

// how it ended
texts! {
    outcome_connected()
        "Connected",
        "Verbunden";
    outcome_connected_text(app, connector)
        "{app} can now work with your account at {connector}. You can close this window.",
        "{app} kann jetzt mit Ihrem Konto bei {connector} arbeiten. Sie können dieses Fenster schließen.";
    outcome_scopes(app, connector)
        "{app} asked for more than {connector} granted. Until you connect again and allow it, what needs these will not work:",
        "{app} hat um mehr gebeten, als {connector} gewährt hat. Bis Sie neu verbinden und es erlauben, geht nicht, was Folgendes braucht:";
    outcome_not_connected()
        "Not connected",
        "Nicht verbunden";
    outcome_declined_text(app)
        "You did not agree, so {app} got nothing. If that was a mistake, go back to {app} and start again.",
        "Sie haben nicht zugestimmt, also hat {app} nichts bekommen. Falls das ein Versehen war, gehen Sie zurück zu {app} und beginnen Sie neu.";
    outcome_refused_text(app, connector, error)
        "{connector} refused ({error}), so {app} got nothing. Go back to {app} and start again.",
        "{connector} hat abgelehnt ({error}), also hat {app} nichts bekommen. Gehen Sie zurück zu {app} und beginnen Sie neu.";
    outcome_failed()
        "That did not work",
        "Das hat nicht geklappt";
    outcome_ours_text(app, error)
        "Something failed on our side ({error}). Nothing was connected; go back to {app} and try again.",
        "Bei uns ist etwas fehlgeschlagen ({error}). Es wurde nichts verbunden; gehen Sie zurück zu {app} und versuchen Sie es noch einmal.";
    outcome_failed_text(app, connector, error)
        "{connector} did not answer as expected ({error}). Nothing was connected; go back to {app} and try again.",
        "{connector} hat nicht wie erwartet geantwortet ({error}). Es wurde nichts verbunden; gehen Sie zurück zu {app} und versuchen Sie es noch einmal.";
    outcome_down()
        "The provider does not answer",
        "Der Anbieter antwortet nicht";
    outcome_down_text(app, connector)
        "{connector} can't be reached at the moment, so nothing was connected to {app}. Wait a few minutes, then try again.",
        "{connector} ist gerade nicht erreichbar, also wurde nichts mit {app} verbunden. Versuchen Sie es in einigen Minuten noch einmal.";
    outcome_unconfigured_text(app, connector)
        "{app} is not registered at {connector} any more. Please tell its developers; there is nothing you can do here.",
        "{app} ist bei {connector} nicht mehr registriert. Bitte sagen Sie es denen, die es entwickeln; hier können Sie nichts tun.";
    outcome_nothing()
        "There is nothing to connect yet",
        "Es gibt noch nichts zu verbinden";
    outcome_nothing_text(connector)
        "Your account at {connector} has nothing yet that could be connected. Set it up there, or have the app installed there, then try again.",
        "Ihr Konto bei {connector} hat noch nichts, was verbunden werden könnte. Richten Sie es dort ein oder lassen Sie die App dort installieren und versuchen Sie es dann noch einmal.";
    outcome_other_account()
        "That was another account",
        "Das war ein anderes Konto";
    outcome_other_account_text(expected, connector)
        "This connection belongs to {expected}, and it stays as it was. Log out at {connector}, then start again and log in as {expected}.",
        "Diese Verbindung gehört zu {expected} und bleibt, wie sie war. Melden Sie sich bei {connector} ab, beginnen Sie neu und melden Sie sich als {expected} an.";
    outcome_other_account_unnamed_text(connector)
        "This connection belongs to another account, and it stays as it was. Log out at {connector}, then start again with the account that you used before.",
        "Diese Verbindung gehört zu einem anderen Konto und bleibt, wie sie war. Melden Sie sich bei {connector} ab und beginnen Sie neu mit dem Konto von vorher.";
    outcome_user_gone_text(app)
        "The user for whom this was no longer exists in {app}, so nothing was connected.",
        "Die Person, für die das war, gibt es in {app} nicht mehr. Es wurde nichts verbunden.";
    outcome_late()
        "This took too long",
        "Das hat zu lange gedauert";
    outcome_late_text(app)
        "The time to finish is over and nothing was connected. Go back to {app} and start again.",
        "Die Zeit ist abgelaufen, und es wurde nichts verbunden. Gehen Sie zurück zu {app} und beginnen Sie neu.";
    outcome_held()
        "Almost there",
        "Fast geschafft";
    outcome_held_text(app)
        "{app} is finishing the connection. You can go back to it.",
        "{app} stellt die Verbindung fertig. Sie können dorthin zurückgehen.";
    outcome_pending()
        "Still at it",
        "Noch dabei";
    outcome_pending_text(app, connector)
        "The answer of {connector} is being worked on. Reload this page in a moment, or go back to {app} and start again.",
        "Die Antwort von {connector} wird noch bearbeitet. Laden Sie diese Seite gleich neu, oder gehen Sie zurück zu {app} und beginnen Sie neu.";
}

// why a page can't be shown
texts! {
    failure_used()
        "This link was already used",
        "Dieser Link wurde schon benutzt";
    failure_used_text()
        "A link works once, in the browser that opened it first. Go back to the app and start again.",
        "Ein Link gilt einmal, in dem Browser, der ihn zuerst geöffnet hat. Gehen Sie zurück zur App und beginnen Sie neu.";
    failure_expired()
        "This link has expired",
        "Dieser Link ist abgelaufen";
    failure_expired_text()
        "It was not used in time, so nothing was connected. Go back to the app and start again.",
        "Er wurde nicht rechtzeitig benutzt, also wurde nichts verbunden. Gehen Sie zurück zur App und beginnen Sie neu.";
    failure_unknown()
        "We don't know this link",
        "Diesen Link kennen wir nicht";
    failure_unknown_text()
        "It was not made here, or it was opened in another browser. Nothing was connected. Go back to the app and start again.",
        "Er wurde nicht hier gemacht oder in einem anderen Browser geöffnet. Es wurde nichts verbunden. Gehen Sie zurück zur App und beginnen Sie neu.";
    failure_not_believed()
        "This answer can't be trusted",
        "Dieser Antwort ist nicht zu trauen";
    failure_not_believed_text()
        "It did not come from the provider that you were sent to, so it was thrown away and nothing was connected. You can start again from here.",
        "Sie kam nicht von dem Anbieter, zu dem Sie geschickt wurden. Sie wurde verworfen und nichts verbunden. Sie können von hier aus neu beginnen.";
    failure_forged()
        "This form can't be accepted",
        "Dieses Formular kann nicht angenommen werden";
    failure_forged_text()
        "It was not sent from our page, or its page is too old. Go back, reload the page and try again.",
        "Es kam nicht von unserer Seite, oder die Seite ist zu alt. Gehen Sie zurück, laden Sie die Seite neu und versuchen Sie es noch einmal.";
    failure_nothing()
        "Nothing here",
        "Hier ist nichts";
    failure_nothing_text()
        "There is nothing at this address. Go back to the app and start again.",
        "Unter dieser Adresse ist nichts. Gehen Sie zurück zur App und beginnen Sie neu.";
    failure_connector_text()
        "This connector is unknown, or not enabled for this app. Go back to the app and start again.",
        "Dieser Konnektor ist unbekannt oder für diese App nicht freigeschaltet. Gehen Sie zurück zur App und beginnen Sie neu.";
    failure_connection_text()
        "There is no connection that could be renewed. Go back to the app and connect the account there.",
        "Es gibt keine Verbindung, die zu erneuern wäre. Gehen Sie zurück zur App und verbinden Sie das Konto dort.";
    failure_user_text()
        "The user for whom this was no longer exists in the app, so nothing was connected.",
        "Die Person, für die das war, gibt es in der App nicht mehr. Es wurde nichts verbunden.";
    failure_credentials()
        "That did not work",
        "Das hat nicht geklappt";
    failure_credentials_text()
        "The provider does not accept these credentials. Check them and try again.",
        "Der Anbieter nimmt diese Zugangsdaten nicht an. Prüfen Sie sie und versuchen Sie es noch einmal.";
    failure_incomplete()
        "This link is not complete",
        "Dieser Link ist nicht vollständig";
    failure_incomplete_text()
        "Something is missing in it or was changed on the way. Go back to the app and start again.",
        "Darin fehlt etwas, oder es wurde unterwegs verändert. Gehen Sie zurück zur App und beginnen Sie neu.";
    failure_origin()
        "This page may not connect accounts",
        "Diese Seite darf keine Konten verbinden";
    failure_origin_text()
        "Nothing was connected. The app's developers have to add its origin to the project's allowed origins; please tell them.",
        "Es wurde nichts verbunden. Wer die App entwickelt, muss ihren Ursprung bei den erlaubten des Projekts eintragen; bitte sagen Sie es dort.";
    failure_session()
        "The session has ended",
        "Die Sitzung ist abgelaufen";
    failure_session_text()
        "Nothing was connected. Go back to the app, reload its page and try again.",
        "Es wurde nichts verbunden. Gehen Sie zurück zur App, laden Sie die Seite neu und versuchen Sie es noch einmal.";
    failure_unconfigured()
        "This connection is not set up yet",
        "Diese Verbindung ist noch nicht eingerichtet";
    failure_unconfigured_text()
        "The app's developers have not registered it at the provider. Please tell them; there is nothing you can do here.",
        "Die App ist beim Anbieter noch nicht registriert. Bitte sagen Sie es denen, die sie entwickeln; hier können Sie nichts tun.";
    failure_provider()
        "The provider did not answer as expected",
        "Der Anbieter hat nicht wie erwartet geantwortet";
    failure_provider_text(connector)
        "Something went wrong between us and {connector}, and nothing was connected. Please try again in a few minutes.",
        "Zwischen uns und {connector} ist etwas schiefgegangen, und es wurde nichts verbunden. Bitte versuchen Sie es in einigen Minuten noch einmal.";
    failure_not_now()
        "Not just now",
        "Jetzt gerade nicht";
    failure_not_now_text()
        "This can't be done at the moment, and nothing was changed. Please try again in a minute.",
        "Das geht im Augenblick nicht, und es wurde nichts verändert. Bitte versuchen Sie es in einer Minute noch einmal.";
    failure_unset_text()
        "The service does not know its own address yet. Whoever runs it has to finish setting it up.",
        "Der Dienst kennt seine eigene Adresse noch nicht. Wer ihn betreibt, muss die Einrichtung abschließen.";
    failure_unreadable()
        "This can't be read",
        "Das ist nicht zu lesen";
    failure_unreadable_text()
        "What was sent has a form that is not taken here. Go back to the app and start again.",
        "Was gesendet wurde, hat eine Form, die hier nicht angenommen wird. Gehen Sie zurück zur App und beginnen Sie neu.";
    failure_impossible()
        "That was not possible",
        "Das war nicht möglich";
    failure_impossible_text()
        "Nothing was connected. Go back to the app and start again.",
        "Es wurde nichts verbunden. Gehen Sie zurück zur App und beginnen Sie neu.";
    failure_ours()
        "Something went wrong on our side",
        "Bei uns ist etwas schiefgegangen";
    failure_ours_text()
        "Nothing was connected. Please try again in a few minutes; if it stays so, pass on the number below.",
        "Es wurde nichts verbunden. Bitte versuchen Sie es in einigen Minuten noch einmal; wenn es so bleibt, geben Sie die Nummer unten weiter.";
}

impl Language {
    /// How many there are to choose from.
    #[must_use]
    pub fn results(self, count: usize) -> String {
        match (self, count) {
            (Self::English, 1) => "1 connector".to_owned(),
            (Self::English, _) => format!("{count} connectors"),
            (Self::German, 1) => "1 Konnektor".to_owned(),
            (Self::German, _) => format!("{count} Konnektoren"),
        }
    }

    /// The same for the script, which counts by itself: the number goes where the braces are.
    #[must_use]
    pub fn results_pattern(self) -> &'static str {
        match self {
            Self::English => "{} connectors",
            Self::German => "{} Konnektoren",
        }
    }

    /// A category of connectors. One that is not known here, as a project's own connector may have it, is shown as it is written.
    #[must_use]
    pub fn category_name(self, id: &str) -> String {
        let (english, german) = match id {
            "accounting" => ("Accounting", "Buchhaltung"),
            "ads" => ("Advertising", "Werbung"),
            "ai" => ("AI", "KI"),
            "analytics" => ("Analytics", "Auswertung"),
            "banking" => ("Banking", "Bankkonten"),
            "calendar" => ("Calendars", "Kalender"),
            "cms" => ("Content management", "Redaktion"),
            "communication" => ("Communication", "Kommunikation"),
            "construction" => ("Construction", "Bauwesen"),
            "crm" => ("CRM", "CRM"),
            "design" => ("Design", "Gestaltung"),
            "dev-tools" => ("Developer tools", "Entwicklung"),
            "e-signature" => ("E-signature", "Elektronische Unterschrift"),
            "ecommerce" => ("E-commerce", "Onlinehandel"),
            "education" => ("Education", "Bildung"),
            "email" => ("Email", "E-Mail"),
            "erp" => ("ERP", "ERP"),
            "events" => ("Events", "Veranstaltungen"),
            "fitness" => ("Fitness and health data", "Fitness und Gesundheitsdaten"),
            "forms" => ("Forms and surveys", "Formulare und Umfragen"),
            "games" => ("Games", "Spiele"),
            "health" => ("Health", "Gesundheit"),
            "hr" => ("Human resources", "Personal"),
            "identity" => ("Identity", "Identität"),
            "iot" => ("Connected devices", "Vernetzte Geräte"),
            "legal" => ("Legal", "Recht"),
            "localization" => ("Translation", "Übersetzung"),
            "maps" => ("Maps and places", "Karten und Orte"),
            "marketing" => ("Marketing", "Marketing"),
            "media" => ("Media", "Medien"),
            "mobility" => ("Vehicles and mobility", "Fahrzeuge und Mobilität"),
            "nonprofit" => ("Nonprofit", "Gemeinnütziges"),
            "payments" => ("Payments", "Zahlungen"),
            "productivity" => ("Productivity", "Produktivität"),
            "recruiting" => ("Recruiting", "Bewerbungen"),
            "sales" => ("Sales", "Vertrieb"),
            "security" => ("Security", "Sicherheit"),
            "shipping" => ("Shipping", "Versand"),
            "social" => ("Social networks", "Soziale Netzwerke"),
            "spend" => ("Expenses", "Ausgaben"),
            "storage" => ("Storage", "Ablage"),
            "support" => ("Customer support", "Kundendienst"),
            "time-tracking" => ("Time tracking", "Zeiterfassung"),
            "travel" => ("Travel", "Reisen"),
            "video" => ("Video and meetings", "Video und Besprechungen"),
            _ => return super::sentence(&id.replace('-', " ")),
        };
        match self {
            Self::English => english.to_owned(),
            Self::German => german.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_without_a_name_is_shown_as_it_is_written() {
        let names = ["dev-tools", "field-service", ""].map(|id| Language::German.category_name(id));
        assert_eq!(names, ["Entwicklung", "Field service", ""]);
    }

    #[test]
    fn every_shipped_category_has_a_name_in_every_language() {
        let catalog = crate::catalog::Catalog::builtin();
        for category in catalog.iter().flat_map(|connector| connector.categories.iter()) {
            let fallback = super::super::sentence(&category.replace('-', " "));
            let same =
                Language::German.category_name(category) == fallback && !matches!(category.as_ref(), "marketing");
            assert!(!same, "{category}");
        }
    }
}
